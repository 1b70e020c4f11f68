// The feed on a bad day, in real tabs of a real browser.
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'

import type { Client } from '../src/index.js'
import { pause, until } from './service.js'
import { sessionOf, Stage } from './stage.js'

let browser: Browser
beforeAll(async () => {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM || '/usr/bin/chromium', ignoreDefaultArgs: ['--disable-back-forward-cache'],
    args: ['--no-sandbox', '--disable-gpu', '--disable-background-networking', '--disable-component-update', '--disable-sync', '--no-first-run', '--disable-dev-shm-usage'],
  })
})
afterAll(() => browser?.close())

let stage: Stage
let context: BrowserContext
beforeEach(async () => { stage = await Stage.start(); context = await browser.newContext() })
afterEach(async () => { await context.close(); await stage.stop() })

type Window = { client: Client; told: string[]; seen: string[] }
const state = (page: Page) => page.evaluate(() => (window as unknown as Window).client.session.get().status)
const told = (page: Page) => page.evaluate(() => (window as unknown as Window).told)
const becomes = (page: Page, status: string, within = 4_000) => until(async () => (await state(page)) === status, `the tab to be ${status}`, within)

/** Makes a client in a page. */
async function client(page: Page, before = ''): Promise<Page> {
  await page.evaluate(`(async () => {
    ${before}
    const { createClient } = await import('${stage.origin}/client.js')
    const client = createClient()
    const told = [], seen = []
    client.session.subscribe(({ status }) => seen.push(status))
    client.onEnded((reason) => told.push('ended ' + reason))
    client.onRenewed(() => told.push('renewed'))
    client.onExpiring(({ in_seconds: left }) => told.push('expiring ' + left))
    Object.assign(window, { client, told, seen })
  })()`)
  return page
}

/** A tab whose client was made after the page had loaded. */
async function tab(): Promise<Page> {
  const page = await context.newPage()
  await page.goto(`${stage.origin}/blank`)
  return client(page)
}

/** A tab that listens for all and says what the test wants it to: its lock, its channel, and no client. */
async function leader(): Promise<(message: object) => Promise<void>> {
  const page = await context.newPage()
  await page.goto(`${stage.origin}/blank`)
  await page.evaluate(() => {
    void navigator.locks.request('cloakroom /bff/events', () => new Promise(() => {}))
    const channel = new BroadcastChannel('cloakroom /bff/events')
    channel.onmessage = ({ data }) => { if (data.type === 'hello') channel.postMessage((window as unknown as { word: object }).word) }
    Object.assign(window, { channel, word: { type: 'state', state: { status: 'unknown' } } })
  })
  return (word) => page.evaluate((said) => { Object.assign(window, { word: said }); (window as unknown as { channel: BroadcastChannel }).channel.postMessage(said) }, word)
}

const active = { type: 'state', state: { status: 'active', session: sessionOf('alice') } }
const looksAt = (page: Page) => page.evaluate(() => { document.dispatchEvent(new Event('visibilitychange')) })

test('a page that is refused locks is not frozen by asking for them again and again', async () => {
  const page = await context.newPage()
  await page.goto(`${stage.origin}/sandboxed`) // as with cookies blocked
  const made = client(page, '').then(() => pause(300)).then(() => page.evaluate('1 + 1'))
  expect(await Promise.race([made, pause(5_000)])).toBe(2)
})

test('a browser that blocks cookies, and throws for a channel or for locks, leaves each tab to listen for itself', async () => {
  const refuse = `() => { throw new DOMException('The operation is insecure.', 'SecurityError') }`
  for (const before of [
    `globalThis.BroadcastChannel = function () { (${refuse})() }`,
    `globalThis.BroadcastChannel = undefined`,
    `Object.defineProperty(navigator, 'locks', { get: ${refuse} })`,
  ]) {
    const page = await context.newPage()
    await page.goto(`${stage.origin}/blank`)
    await client(page, before)
    await becomes(page, 'active')
    stage.send('session', sessionOf('bob'))
    await until(() => page.evaluate(() => {
      const now = (window as unknown as Window).client.session.get()
      return now.status === 'active' && now.session.subject === 'bob'
    }), `a tab with ${before} to hear what is sent`)
    await page.close()
  }
})

test('locks that are refused leave each tab to listen for itself', async () => {
  const page = await context.newPage()
  await page.goto(`${stage.origin}/blank`)
  let asked = 0
  await page.exposeFunction('asked', () => { asked += 1 })
  await client(page, `navigator.locks.request = () => new Promise((_, no) => setTimeout(() => { asked(); no(new DOMException('denied', 'SecurityError')) }, 10))`)
  await becomes(page, 'active')
  await pause(300)
  expect(asked).toBe(1)
})

test('a leader that knows nothing, since the service is out, takes nothing from tabs that know', async () => {
  const say = await leader()
  const page = await tab()
  await say(active)
  await becomes(page, 'active')
  await say({ type: 'state', state: { status: 'unknown' } })
  await pause(200)
  expect(await state(page)).toBe('active')
})

test('a tab that knew the session hears of its end from a leader that did not', async () => {
  const say = await leader()
  const page = await tab()
  await say(active)
  await becomes(page, 'active')
  await say({ type: 'state', state: { status: 'anonymous' } })
  await becomes(page, 'ended')
  expect(await told(page)).toEqual(['ended unknown'])
})

test('what a call finds out in one tab, the listening tab finds out as well', async () => {
  const [first, second] = [await tab(), await tab()]
  for (const page of [first, second]) await becomes(page, 'active')
  stage.session = undefined // the person has deleted their cookies: the stream goes on
  await second.evaluate(() => (window as unknown as Window).client.fetch('/api/x'))
  for (const page of [first, second]) await becomes(page, 'ended', 2_000)
  await looksAt(second)
  await pause(300)
  for (const page of [first, second]) expect([await state(page), await told(page)]).toEqual(['ended', ['ended unknown']])
  expect(stage.listeners).toBe(0)
})

test('a tab that found out itself does not listen on to a stream that knows nothing of it', async () => {
  const page = await tab()
  await becomes(page, 'active')
  const session = stage.session as object
  stage.session = undefined
  await page.evaluate(() => (window as unknown as Window).client.fetch('/api/x'))
  await becomes(page, 'ended')
  stage.send('session', { ...session, scope: 'openid' })
  await pause(200)
  expect(await state(page)).toBe('ended')
})

test('a tab that is no longer the leader does not connect when a slow look-up comes back', async () => {
  const page = await tab()
  await becomes(page, 'active')
  let answer = () => {}
  stage.slow = new Promise((resolve) => { answer = resolve })
  stage.events = 503
  stage.cut(0)
  await until(() => stage.paths.includes('/bff/session'), 'the look-up')
  const thief = await context.newPage()
  await thief.goto(`${stage.origin}/blank`)
  await thief.evaluate(() => new Promise<void>((taken) => { void navigator.locks.request('cloakroom /bff/events', { steal: true }, () => { taken(); return new Promise(() => {}) }) }))
  const before = stage.tried
  stage.events = 0
  answer()
  await pause(1_600) // the longest first pause
  expect(stage.tried).toBe(before)
})

test('a session is known although its stream can not be had', async () => {
  stage.events = 503
  const page = await tab()
  await becomes(page, 'active')
})

test('a logout is known in all tabs although the stream can not be had', async () => {
  stage.events = 503
  const [first, second] = [await tab(), await tab()]
  for (const page of [first, second]) await becomes(page, 'active')
  await pause(200) // the look-ups that the new tab gave rise to
  await second.evaluate(() => (window as unknown as Window).client.logout({ returnUrl: '#bye' })) // a page that stays
  for (const page of [first, second]) {
    await becomes(page, 'ended')
    expect(await told(page)).toEqual(['ended logout'])
  }
})

test('a look-up that was under way before a logout does not bring the session back', async () => {
  stage.events = 503
  const [first, second] = [await tab(), await tab()]
  for (const page of [first, second]) await becomes(page, 'active')
  const held: (() => void)[] = []
  const hold = async (act: () => Promise<unknown>) => {
    const asked = () => stage.paths.filter((path) => path === '/bff/session').length
    const before = asked()
    stage.slow = new Promise((resolve) => { held.push(resolve) })
    await act()
    await until(() => asked() > before, 'a look-up')
  }
  await hold(() => looksAt(second))
  await hold(() => second.evaluate(() => (window as unknown as Window).client.logout({ returnUrl: '#bye' })))
  held[0]?.()
  await pause(200)
  held[1]?.()
  for (const page of [first, second]) {
    await becomes(page, 'ended')
    expect(await page.evaluate(() => (window as unknown as Window).seen)).toEqual(['active', 'ended'])
  }
})

test('a tab opened beside one that sleeps takes over, whenever its client was made', async () => {
  const sleeper = await context.newPage()
  await sleeper.goto(`${stage.origin}/blank`)
  await sleeper.evaluate(() => { void navigator.locks.request('cloakroom /bff/events', () => new Promise(() => {})) })
  await becomes(await tab(), 'active', 4_000)
})

test('a stream that is told to come back at once does not run up against a service that is down', async () => {
  const page = await tab()
  await becomes(page, 'active')
  stage.events = 'hang up'
  stage.lookUp = 503
  const before = stage.tried
  stage.cut(0)
  await pause(1_500)
  expect(stage.tried - before).toBeLessThan(5)
  stage.events = stage.lookUp = 0
  await until(() => stage.listeners === 1, 'the stream')
  expect(await told(page)).toEqual([])
})

test('the near end is told once in each tab, in one that was opened later, too', async () => {
  const end = sessionOf('alice').expires_at
  stage.begin = `event: expiring\ndata: ${JSON.stringify({ expires_at: end, in_seconds: 60 })}\n\n` // each connection is told
  const [first, second] = [await tab(), await tab()]
  for (const page of [first, second]) await becomes(page, 'active')
  await until(async () => (await told(second)).length, 'the notice')
  await first.close()
  await until(() => stage.tried === 2, 'another tab to listen')
  const third = await tab()
  await becomes(third, 'active')
  await pause(200)
  for (const page of [second, third]) expect(await told(page)).toEqual([expect.stringMatching(/^expiring (60|5\d)$/)])
})

test('a session that goes on after a stronger login has not ended', async () => {
  const [first, second] = [await tab(), await tab()]
  for (const page of [first, second]) await becomes(page, 'active')
  stage.send('ended', { reason: 'replaced' }) // of the old ticket, whose stream came back before the new cookie did
  await until(() => stage.tried === 2, 'the stream of the new one')
  await pause(200)
  for (const page of [first, second]) expect([await state(page), await told(page)]).toEqual(['active', []])
})

test('a logout is told soon, although the service does not answer whether there is another session', async () => {
  const page = await tab()
  await becomes(page, 'active')
  let answer = () => {}
  stage.slow = new Promise((resolve) => { answer = resolve })
  stage.session = undefined
  stage.send('ended', { reason: 'logout' })
  await becomes(page, 'ended', 2_500)
  answer()
  await pause(200)
  expect([await state(page), await told(page)]).toEqual(['ended', ['ended logout']])
})

test('a tab that comes back from a login does not hear of the time before it', async () => {
  stage.session = undefined
  const first = await tab()
  await becomes(first, 'anonymous')
  stage.session = sessionOf('alice')
  const second = await tab()
  for (const page of [first, second]) await becomes(page, 'active')
  expect(await second.evaluate(() => (window as unknown as Window).seen)).toEqual(['active'])
  stage.session = undefined
  stage.send('ended', { reason: 'logout' })
  for (const page of [first, second]) await becomes(page, 'ended')
  await becomes(await tab(), 'anonymous')
})

test('a session that another one of somebody else took the place of has ended', async () => {
  const [first, second] = [await tab(), await tab()]
  for (const page of [first, second]) await becomes(page, 'active')
  stage.session = sessionOf('bob')
  stage.send('ended', { reason: 'logout' })
  for (const page of [first, second]) {
    await until(() => page.evaluate(() => { const s = (window as unknown as Window).client.session.get(); return s.status === 'active' && s.session.subject === 'bob' }), 'bob', 2_000)
    expect(await told(page)).toEqual(['ended logout'])
  }
})

test('a session that a call finds is known, and listened to', async () => {
  stage.session = undefined
  const [first, second] = [await tab(), await tab()]
  for (const page of [first, second]) await becomes(page, 'anonymous')
  stage.session = sessionOf('alice') // logged in by a page without a client, say in a pop-up window
  await second.evaluate(() => (window as unknown as Window).client.getSession())
  for (const page of [first, second]) await becomes(page, 'active')
  stage.session = undefined
  expect(await second.evaluate(() => (window as unknown as Window).client.getSession())).toBeNull()
  for (const page of [first, second]) await becomes(page, 'ended')
})

test('a path is relative to the base of the document, as with fetch', async () => {
  const page = await context.newPage()
  await page.goto(`${stage.origin}/based`)
  await client(page)
  await page.evaluate(() => (window as unknown as Window).client.fetch('api/x'))
  expect(stage.paths).toContain('/app/api/x')
})

test('a page from the back/forward cache hears of the end that came meanwhile', async () => {
  const page = await context.newPage()
  await page.goto(`${stage.origin}/blank`)
  await client(page, `Object.defineProperty(navigator, 'locks', { value: undefined })`) // a page with a lock is not cached
  await becomes(page, 'active')
  await page.goto(`${stage.origin}/based`)
  stage.session = undefined
  stage.send('ended', { reason: 'logout' })
  await page.evaluate(() => { history.back() }).catch(() => {})
  await until(() => page.evaluate(() => 'client' in window).catch(() => false), 'the cached page')
  await becomes(page, 'ended')
})
