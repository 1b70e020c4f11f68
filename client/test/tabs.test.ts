// The client in real tabs of a real browser: one connection for all of them, and word of the end everywhere.
import { mkdirSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, beforeAll, expect, test } from 'vitest'

import { startService, until, type Service } from './service.js'

const shots = fileURLToPath(new URL('../../test/out/', import.meta.url))
let service: Service
let browser: Browser
beforeAll(async () => {
  mkdirSync(shots, { recursive: true })
  service = await startService('--access-token-lifetime', '60s')
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-dev-shm-usage'],
  })
})
afterAll(async () => { await browser?.close(); await service?.stop() })

/** A browser profile, logged in. */
async function profile(): Promise<BrowserContext> {
  const context = await browser.newContext({ viewport: { width: 1000, height: 700 } })
  const page = await context.newPage()
  await page.goto(`${service.app}/bff/login`)
  await page.getByTestId('login-alice').click()
  await page.waitForURL((url) => url.origin === service.app)
  await page.close()
  return context
}

/** A tab with a client of its own, whose state and events can be asked for. */
async function open(context: BrowserContext): Promise<Page> {
  const page = await context.newPage()
  await page.goto(service.app)
  await page.evaluate(`(async () => { // as text: what is compiled here has another import
    const { createClient } = await import('/client.js')
    const client = createClient()
    const told = []
    client.onEnded((reason) => told.push('ended ' + reason))
    client.onRenewed(() => told.push('renewed'))
    Object.assign(window, { client, told })
  })()`)
  return page
}

/** A tab of somebody who is logged in. */
async function tab(context: BrowserContext): Promise<Page> {
  const page = await open(context)
  await until(async () => (await state(page)) === 'active', 'the tab to know its session')
  return page
}

type Window = { client: import('../src/index.js').Client; told: string[] }
const state = (page: Page) => page.evaluate(() => (window as unknown as Window).client.session.get().status)
const told = (page: Page) => page.evaluate(() => (window as unknown as Window).told)

/** How many connections a profile has opened to listen, the demo's own pages among the listeners. */
function connectionsOf(context: BrowserContext): () => number {
  let opened = 0
  context.on('response', (response) => { if (response.url().endsWith('/bff/events') && response.ok()) opened += 1 })
  return () => opened
}

test('what happens in one tab is known in all of them, and in no other profile', async () => {
  const [alice, other] = [await profile(), await profile()]
  const [first, second, elsewhere] = [await tab(alice), await tab(alice), await tab(other)]
  await first.evaluate(() => (window as unknown as Window).client.refresh())
  await until(async () => (await told(second)).includes('renewed'), 'the renewal in the other tab', 1_000)

  const began = Date.now()
  await first.evaluate(() => (window as unknown as Window).client.fetch('/bff/logout', { method: 'POST' }))
  for (const page of [first, second]) {
    await until(async () => (await told(page)).includes('ended logout'), 'the end', 1_000)
    expect(await state(page)).toBe('ended')
  }
  expect(Date.now() - began).toBeLessThan(1_000)
  expect(await state(elsewhere)).toBe('active')
  await first.screenshot({ path: `${shots}client-1-logged-out.png` })
  await second.screenshot({ path: `${shots}client-2-other-tab.png` })
  await elsewhere.screenshot({ path: `${shots}client-3-other-profile.png` })
  await Promise.all([alice.close(), other.close()])
})

test('a session that is ended in another profile ends in every tab within a second', async () => {
  const [alice, phone] = [await profile(), await profile()]
  const [first, second, remote] = [await tab(alice), await tab(alice), await tab(phone)]
  await remote.evaluate(() => (window as unknown as Window).client.endOtherSessions())
  const answered = Date.now()
  for (const page of [first, second]) await until(async () => (await told(page)).includes('ended logout'), 'the end', 1_000)
  expect(Date.now() - answered).toBeLessThan(1_000)
  expect(await state(remote)).toBe('active')
  await Promise.all([alice.close(), phone.close()])
})

test('one tab listens for all; when it closes, another takes over', async () => {
  const alice = await profile()
  const connections = connectionsOf(alice)
  const [first, second, third] = [await tab(alice), await tab(alice), await tab(alice)]
  expect(connections()).toBe(1)
  await first.close()
  await until(() => connections() === 2, 'another tab to listen')
  await third.evaluate(() => (window as unknown as Window).client.fetch('/bff/logout', { method: 'POST' }))
  for (const page of [second, third]) await until(async () => (await told(page)).includes('ended logout'), 'the end', 2_000)
  await alice.close()
})

test('a tab that sleeps while it should listen for all is replaced once somebody looks at another one', async () => {
  const alice = await profile()
  const connections = connectionsOf(alice)
  const sleeper = await alice.newPage() // it holds the lock, and answers nobody
  await sleeper.goto(`${service.app}/bff/sessions`)
  await sleeper.evaluate(() => { void navigator.locks.request('cloakroom /bff/events', () => new Promise(() => {})) })
  const [first, second] = [await tab(alice), await tab(alice)]
  expect(connections()).toBe(1)
  await first.evaluate(() => (window as unknown as Window).client.refresh())
  for (const page of [first, second]) await until(async () => (await told(page)).includes('renewed'), 'the renewal', 1_000)
  await alice.close()
})

test('a tab from which another one took over goes on as one of the others', async () => {
  const alice = await profile()
  const connections = connectionsOf(alice)
  const [first, second] = [await tab(alice), await tab(alice)]
  await second.evaluate(() => new Promise<void>((taken) => {
    void navigator.locks.request('cloakroom /bff/events', { steal: true }, () => { taken(); return new Promise((resolve) => setTimeout(resolve, 500)) })
  }))
  await until(() => connections() === 2, 'a tab to listen again') // as soon as the lock is free
  await first.evaluate(() => (window as unknown as Window).client.refresh())
  for (const page of [first, second]) await until(async () => (await told(page)).includes('renewed'), 'the renewal', 1_000)
  for (const page of [first, second]) expect(await told(page)).toEqual(['renewed'])
  await first.evaluate(() => (window as unknown as Window).client.fetch('/bff/logout', { method: 'POST' }))
  for (const page of [first, second]) await until(async () => (await told(page)).includes('ended logout'), 'the end', 1_000)
  expect(connections()).toBe(2)
  await alice.close()
})

test('a tab that was opened after the end has not seen it; a login there is seen in all', async () => {
  const alice = await profile()
  const first = await tab(alice)
  await first.evaluate(() => (window as unknown as Window).client.fetch('/bff/logout', { method: 'POST' })) // at the provider they stay
  await until(async () => (await state(first)) === 'ended', 'the end', 1_000)
  const second = await open(alice)
  await until(async () => (await state(second)) === 'anonymous', 'the new tab to know')
  expect(await told(second)).toEqual([])
  expect(await state(first)).toBe('ended')
  await second.evaluate(() => (window as unknown as Window).client.login()) // they are still logged in at the provider
  await second.waitForURL(service.app + '/')
  await until(async () => (await state(first)) === 'active', 'the login', 5_000)
  expect(await told(first)).toEqual(['ended logout'])
  await alice.close()
})

test('a login leads back to the page, its fragment included, and a closed client keeps quiet', async () => {
  const alice = await profile()
  const page = await tab(alice)
  await page.evaluate(() => { location.hash = '/orders?open=1' })
  expect(await page.evaluate(() => (window as unknown as Window).client.loginUrl())).toBe('/bff/login?returnUrl=%2F%23%2Forders%3Fopen%3D1')
  expect(await page.evaluate(async () => {
    const { client } = window as unknown as Window
    client.close()
    await client.fetch('/bff/logout', { method: 'POST' })
    return (await client.fetch('/api/whoami')).status
  })).toBe(401)
  await alice.close()
})

test('silent login tells whether somebody is logged in at the provider', async () => {
  const stranger = await browser.newContext()
  const page = await stranger.newPage()
  await page.goto(service.app)
  const ask = () => page.evaluate(`import('/client.js').then(({ createClient }) => createClient({ listen: false }).silentLogin())`)
  expect(await ask()).toBe(false)
  await stranger.close()
})
