// @vitest-environment jsdom
// The hooks in a real React, with a client of the real service.
import { act, createElement } from 'react'
import { createRoot } from 'react-dom/client'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { createClient } from '../src/index.js'
import { CloakroomProvider, useSession, useUser } from '../src/react.js'
import { Person, startService, until, type Service } from './service.js'

let service: Service
beforeAll(async () => { service = await startService() })
afterAll(() => service.stop())

function Greeting() {
  const session = useSession()
  const user = useUser()
  return createElement('p', null, `${session.status}: ${user === undefined ? '…' : user === null ? 'nobody' : String(user.name)}`)
}

test('a component shows who is logged in, and hears of the end', async () => {
  Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true })
  const alice = new Person(service.app)
  await alice.logIn()
  const client = createClient({ baseUrl: service.app, fetch: alice.fetch, listen: false })
  const root = document.createElement('div')
  const react = createRoot(root)
  await act(async () => { react.render(createElement(CloakroomProvider, { client }, createElement(Greeting))) })
  const shows = (text: string) => until(async () => { await act(async () => {}); return root.textContent === text }, `"${text}", not "${root.textContent}"`)
  await shows('unknown: Alice Liddell')
  await client.fetch('/bff/logout', { method: 'POST' })
  await act(async () => { await client.fetch('/api/whoami') })
  await shows('anonymous: nobody')
  await act(async () => { react.unmount() })
})

test('a hook without a provider says what is missing', () => {
  const root = createRoot(document.createElement('div'))
  expect(() => act(() => root.render(createElement(Greeting)))).toThrow('CloakroomProvider')
})
