// docs/openapi.yaml against the running service: each answer that can be had without breaking something is asked for,
// and held to what the description says of its status, its type and its body. That it has each endpoint, a test of the
// Go package handlers sees to.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { Ajv2020 } from 'ajv/dist/2020.js'
import formats from 'ajv-formats'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'

import { Person, startService, type Service } from './service.js'

interface Answer { content?: Record<string, { schema: object }>; headers?: Record<string, { required?: boolean }>; $ref?: string }
interface Description { paths: Record<string, Record<string, { responses: Record<string, Answer> }>>; components: { responses: Record<string, Answer> } }

const file = fileURLToPath(new URL('../../docs/openapi.yaml', import.meta.url))
const api = parse(readFileSync(file, 'utf8')) as Description
const ajv = new Ajv2020({ strict: false, allErrors: true })
;(formats as unknown as (a: Ajv2020) => void)(ajv)
ajv.addSchema(api, 'api')

let service: Service
let alice: Person
beforeAll(async () => { service = await startService(); alice = new Person(service.app); await alice.logIn() })
afterAll(() => service.stop())

const csrf = { 'X-CSRF': '1' }
const seen = new Set<string>()

/** Wants an answer to be one that the description has. */
async function holds(path: string, method: string, response: Response): Promise<void> {
  const operation = api.paths[path]?.[method.toLowerCase()]
  expect(operation, `${method} ${path} is described`).toBeDefined()
  const { status } = response
  const described = operation?.responses[String(status)]
  expect(described, `${method} ${path} may answer ${status}`).toBeDefined()
  seen.add(`${method.toLowerCase()} ${path} ${status}`)
  const answer = described?.$ref ? api.components.responses[described.$ref.split('/').at(-1) ?? ''] : described
  for (const [name, header] of Object.entries(answer?.headers ?? {})) if (header.required) expect(response.headers.get(name), name).toBeTruthy()
  expect(response.headers.get('Cache-Control')).toContain('no-store')
  const type = response.headers.get('Content-Type')?.split(';')[0] ?? ''
  const body = await response.text()
  if (!answer?.content) {
    expect(body, `${method} ${path} ${status} has no body`).toBe('')
    return
  }
  expect(Object.keys(answer.content), `${method} ${path} ${status}`).toContain(type)
  if (!type.endsWith('json')) return
  const validate = ajv.compile(relative(answer.content[type]?.schema ?? {}))
  expect(validate(JSON.parse(body)), `${method} ${path} ${status}: ${JSON.stringify(validate.errors)}\n${body}`).toBe(true)
}

/** A schema with its references led into the whole description. */
function relative(schema: object): object {
  return JSON.parse(JSON.stringify(schema).replaceAll('"#/components/', '"api#/components/')) as object
}

const ask = (who: Person, method: string, path: string, headers: Record<string, string> = csrf, body?: BodyInit) =>
  who.fetch(`${service.app}/bff${path}`, { method, headers, ...(body === undefined ? {} : { body }) })

test('each answer is one that the description has', async () => {
  const nobody = new Person(service.app)
  const cases: [string, string, () => Promise<Response>][] = [
    ['/user', 'GET', () => ask(alice, 'GET', '/user')],
    ['/user', 'GET', () => ask(alice, 'GET', '/user?format=object')],
    ['/user', 'GET', () => ask(nobody, 'GET', '/user')],
    ['/user', 'GET', () => ask(alice, 'GET', '/user', {})],
    ['/session', 'GET', () => ask(alice, 'GET', '/session')],
    ['/session', 'GET', () => ask(nobody, 'GET', '/session')],
    ['/session', 'GET', () => ask(alice, 'GET', '/session', {})],
    ['/session/refresh', 'POST', () => ask(alice, 'POST', '/session/refresh')],
    ['/session/refresh', 'POST', () => ask(alice, 'POST', '/session/refresh')],
    ['/session/refresh', 'POST', () => ask(nobody, 'POST', '/session/refresh')],
    ['/session/refresh', 'POST', () => ask(alice, 'POST', '/session/refresh', {})],
    ['/events', 'GET', () => ask(nobody, 'GET', '/events')],
    ['/events', 'GET', () => ask(alice, 'GET', '/events', { Origin: 'https://evil.example' })],
    ['/sessions', 'GET', () => ask(alice, 'GET', '/sessions')],
    ['/sessions', 'GET', () => ask(nobody, 'GET', '/sessions')],
    ['/sessions', 'GET', () => ask(alice, 'GET', '/sessions', { Accept: 'application/json' })],
    ['/sessions', 'POST', () => ask(alice, 'POST', '/sessions', csrf, new URLSearchParams({ id: 'x', token: 'wrong' }))],
    ['/sessions/{id}', 'DELETE', () => ask(alice, 'DELETE', '/sessions/none')],
    ['/sessions/{id}', 'DELETE', () => ask(nobody, 'DELETE', '/sessions/none')],
    ['/sessions/end-others', 'POST', () => ask(alice, 'POST', '/sessions/end-others')],
    ['/sessions/end-others', 'POST', () => ask(nobody, 'POST', '/sessions/end-others')],
    ['/login', 'GET', () => ask(nobody, 'GET', '/login')],
    ['/login', 'POST', () => ask(nobody, 'POST', '/login', {}, new URLSearchParams({ iss: 'https://nobody.example' }))],
    ['/callback/{provider}', 'GET', () => ask(nobody, 'GET', '/callback/demo?state=x&code=y')],
    ['/callback/{provider}', 'GET', () => ask(nobody, 'GET', '/callback/other?state=x&code=y')],
    ['/callback/{provider}', 'POST', () => ask(nobody, 'POST', '/callback/demo', {}, new URLSearchParams({ state: 'x' }))],
    ['/logout', 'GET', () => ask(alice, 'GET', '/logout?sid=wrong')],
    ['/logout', 'POST', () => ask(alice, 'POST', '/logout', {})],
    ['/logout', 'POST', () => ask(alice, 'POST', '/logout?returnUrl=//evil.example')],
    ['/logout/callback/{provider}', 'GET', () => ask(nobody, 'GET', '/logout/callback/other')],
    ['/backchannel/{provider}', 'POST', () => ask(nobody, 'POST', '/backchannel/demo', {}, new URLSearchParams({ logout_token: 'x' }))],
    ['/backchannel/{provider}', 'POST', () => ask(nobody, 'POST', '/backchannel/other', {}, new URLSearchParams({ logout_token: 'x' }))],
    ['/frontchannel/{provider}', 'GET', () => ask(nobody, 'GET', '/frontchannel/other')],
    ['/silent-login', 'GET', () => ask(nobody, 'GET', '/silent-login')],
    ['/silent-login', 'POST', () => ask(alice, 'POST', '/silent-login', csrf, new URLSearchParams({ confirm: 'x' }))],
    ['/silent-login', 'POST', () => ask(alice, 'POST', '/silent-login', {}, new URLSearchParams({ confirm: 'x' }))],
    ['/jwks/{provider}', 'GET', () => ask(nobody, 'GET', '/jwks/demo')],
    ['/jwks/{provider}', 'GET', () => ask(nobody, 'GET', '/jwks/other')],
    ['/logout/continue', 'GET', () => ask(nobody, 'GET', '/logout/continue?handle=x', { 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' })],
    ['/logout/continue', 'GET', () => ask(nobody, 'GET', '/logout/continue?handle=x', { 'Sec-Fetch-Mode': 'cors', 'Sec-Fetch-Dest': 'empty' })],
    ['/auth', 'GET', () => ask(alice, 'GET', '/auth')],
    ['/auth', 'GET', () => ask(nobody, 'GET', '/auth')],
    ['/auth', 'GET', () => ask(alice, 'GET', '/auth?token=access')],
    ['/auth/{path}', 'GET', () => ask(alice, 'GET', '/auth/api/orders?id=1')],
    ['/auth/{path}', 'GET', () => ask(nobody, 'GET', '/auth/api/orders')],
    ['/auth/{path}', 'GET', () => ask(nobody, 'GET', '/auth/', { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document' })],
    ['/logout', 'POST', () => ask(alice, 'POST', '/logout')],
    ['/logout', 'POST', () => ask(nobody, 'POST', '/logout')],
  ]
  for (const [path, method, call] of cases) await holds(path, method, await call())
  const unasked = Object.keys(api.paths).filter((path) => ![...seen].some((answer) => answer.split(' ')[1] === path))
  expect(unasked, 'every path was asked').toEqual([])
})
