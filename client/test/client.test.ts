// The client against the real service, without a browser: what it asks, and what it makes of the answers.
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest'

import { CloakroomError, createClient, type EndReason, type Unauthenticated } from '../src/index.js'
import { Listeners } from '../src/observable.js'
import { Person, startService, type Service } from './service.js'

let service: Service
beforeAll(async () => { service = await startService('--access-token-lifetime', '60s') })
afterAll(() => service.stop())
afterEach(() => { vi.unstubAllGlobals() })

/** A client that speaks for a person. */
const clientOf = (person: Person) => createClient({ baseUrl: person.app, fetch: person.fetch, listen: false })

describe('a visitor', () => {
  test('is nobody, and no error', async () => {
    const client = clientOf(new Person(service.app))
    expect(await client.user()).toBeNull()
    expect(await client.getSession()).toBeNull()
    expect(client.session.get()).toEqual({ status: 'anonymous' })
  })

  test('hears where to log in when a call is refused, and gets the response as it is', async () => {
    const client = clientOf(new Person(service.app))
    const told: Unauthenticated[] = []
    client.onUnauthenticated((what) => told.push(what))
    const response = await client.fetch('/api/whoami')
    expect(response.status).toBe(401)
    expect(((await response.json()) as { code: string }).code).toBe('not_authenticated')
    expect(told).toEqual([{ code: 'not_authenticated', loginUrl: `${service.app}/bff/login` }])
  })

  test('gets an error with its code for what needs a session', async () => {
    const client = clientOf(new Person(service.app))
    const error = await client.sessions().catch((e: unknown) => e)
    expect(error).toBeInstanceOf(CloakroomError)
    expect(error).toMatchObject({ status: 401, code: 'not_authenticated', loginUrl: '/bff/login' })
    expect((error as CloakroomError).requestId).toBeTruthy()
  })
})

describe('who is logged in', () => {
  test('has claims, a session and an API', async () => {
    const alice = new Person(service.app)
    await alice.logIn()
    const client = clientOf(alice)
    expect(await client.user()).toMatchObject({ name: 'Alice Liddell', 'bff:logout_url': expect.stringMatching(/^\/bff\/logout\?sid=/) })
    const session = await client.getSession()
    expect(session).toMatchObject({ authenticated: true, provider: 'demo' })
    expect(Date.parse(session?.expires_at ?? '')).toBeGreaterThan(Date.now())
    expect((await client.fetch('/api/whoami')).status).toBe(200)
  })

  test('renews, and not twice at once', async () => {
    const alice = new Person(service.app)
    await alice.logIn()
    const client = clientOf(alice)
    const before = await client.getSession()
    const after = await client.refresh()
    expect(Date.parse(after.access_token_expires_at ?? '')).toBeGreaterThanOrEqual(Date.parse(before?.access_token_expires_at ?? ''))
    const error = await client.refresh().catch((e: unknown) => e)
    expect(error).toMatchObject({ status: 429, code: 'rate_limited' })
    expect((error as CloakroomError).retryAfter).toBeGreaterThan(0)
  })

  test('sees and ends their other sessions, which find out at their next call', async () => {
    const [here, there] = [new Person(service.app), new Person(service.app)]
    await here.logIn()
    await there.logIn()
    const [client, other] = [clientOf(here), clientOf(there)]
    await other.user()
    const ended: EndReason[] = []
    other.onEnded((reason) => ended.push(reason))
    const sessions = await client.sessions()
    expect(sessions.filter((s) => s.current)).toHaveLength(1)
    await client.endOtherSessions()
    expect(await client.sessions()).toHaveLength(1)
    expect((await other.fetch('/api/whoami')).status).toBe(401)
    expect(other.session.get().status).not.toBe('active')
    await client.endSession((await client.sessions())[0]?.id ?? '')
    expect(await client.user()).toBeNull()
  })
})

test('the header and the cookie go to the service alone', async () => {
  const seen: Request[] = []
  const client = createClient({
    baseUrl: 'https://app.example.com', listen: false,
    fetch: (input, init) => { seen.push(new Request(input, init)); return Promise.resolve(new Response()) },
  })
  for (const url of ['/api/x', 'https://app.example.com/api/x', 'https://api.example.org/x', 'https://app.example.com.evil.example/', 'http://app.example.com/x']) await client.fetch(url)
  expect(seen.map((r) => r.headers.get('X-CSRF'))).toEqual(['1', '1', null, null, null])
  expect(seen.map((r) => r.credentials)).toEqual(['include', 'include', 'same-origin', 'same-origin', 'same-origin'])
})

test('a call with the cookie of before a new login is no end of the session', async () => {
  const [early, alice] = [new Person(service.app), new Person(service.app)]
  await early.logIn()
  alice.becomes(early)
  await alice.logIn() // the same browser, whose first session ends with it
  let late = false
  const client = createClient({ baseUrl: service.app, listen: false, fetch: (input, init) => (late && String(input).includes('/api/') ? early : alice).fetch(input, init) })
  const told: (Unauthenticated | EndReason)[] = []
  client.onUnauthenticated((what) => told.push(what))
  client.onEnded((reason) => told.push(reason))
  await client.getSession()
  late = true
  const answers = await Promise.all([client.fetch('/api/whoami'), client.fetch('/api/whoami'), client.fetch('/api/whoami')])
  expect(answers.map((r) => r.status)).toEqual([401, 401, 401])
  expect(told).toEqual([])
  expect(client.session.get().status).toBe('active')
  alice.forget()
  await client.fetch('/api/whoami')
  expect(told).toMatchObject([{ code: 'not_authenticated' }, 'unknown'])
  expect(client.session.get()).toEqual({ status: 'ended', reason: 'unknown' })
})

/** A client whose calls are answered with a 401 of the given code, and a session that may live on. */
function refused(body: object, session: object | (() => object)) {
  const client = createClient({
    baseUrl: 'https://app.example.com', listen: false,
    fetch: (input) => Promise.resolve(String(input).endsWith('/bff/session') ? Response.json(typeof session === 'function' ? session() : session)
      : new Response(JSON.stringify(body), { status: 401, headers: { 'Content-Type': 'application/problem+json' } })),
  })
  const told: (string | EndReason)[] = []
  client.onUnauthenticated(({ code }) => told.push(code))
  client.onEnded((reason) => told.push(reason))
  return { client, told }
}
const alive = { authenticated: true, subject: 'alice', provider: 'main', created_at: '2030-01-01T00:00:00Z', expires_at: '2030-01-01T12:00:00Z' }

test('a session that goes on without a refresh token needs a login, and has not ended', async () => {
  const { client, told } = refused({ code: 'reauthentication_required', login_url: '/bff/login' }, alive)
  await client.fetch('/api/x') // before anything is known
  expect([told, client.session.get().status]).toEqual([['reauthentication_required'], 'unknown'])
  await client.getSession()
  await client.fetch('/api/x')
  expect([told, client.session.get().status]).toEqual([['reauthentication_required', 'reauthentication_required'], 'active'])
})

test('a session whose user the provider wants to see again says so, and has not ended', async () => {
  let session: object = alive
  const { client, told } = refused({ code: 'reauthentication_required', login_url: '/bff/login' }, () => session)
  await client.getSession()
  session = { ...alive, reauthentication_required: true }
  await client.fetch('/api/x')
  expect([told, client.session.get()]).toEqual([['reauthentication_required'], { status: 'active', session }])
  session = alive // after the login
  await client.getSession()
  expect(client.session.get()).toEqual({ status: 'active', session })
})

test('a session that the provider does not renew any more has ended', async () => {
  const { client, told } = refused({ code: 'reauthentication_required', login_url: '/bff/login' }, { authenticated: false })
  await client.fetch('/api/x')
  expect(told).toEqual(['reauthentication_required', 'refused'])
})

test('a late answer for a session that ran out says nothing of the one after it', async () => {
  const { client, told } = refused({ code: 'session_expired', login_url: '/bff/login' }, alive)
  await client.getSession()
  await client.fetch('/api/x')
  expect([told, client.session.get().status]).toEqual([[], 'active'])
})

test('a 401 that leads to a login elsewhere is of the API', async () => {
  for (const loginUrl of ['/sso/login', 'https://evil.example/bff/login', '.evil.example/bff/login', '']) {
    const { client, told } = refused({ code: 'not_authenticated', login_url: loginUrl }, alive)
    await client.fetch('/api/x')
    expect([told, client.session.get().status], loginUrl).toEqual([[], 'unknown'])
  }
})

test('where there is no page, a login leads to the beginning', () => {
  expect(createClient({ listen: false }).loginUrl({ provider: 'main' })).toBe('/bff/login?returnUrl=%2F&provider=main')
})

describe('where a login or a logout leads back to', () => {
  const returnUrl = (url: string) => new URLSearchParams(url.slice(url.indexOf('?'))).get('returnUrl')
  const at = (href: string) => { vi.stubGlobal('location', Object.assign(new URL(href), { assign: () => {} })) }

  test('is this page, in a form that the service takes', async () => {
    for (const [page, path] of [
      ['/orders?a=1#/x', '/orders?a=1#/x'], [String.raw`/?path=C:\x#\y`, '/?path=C:%5Cx#%5Cy'], ['//evil.example/', '/'], [`/?q=${'x'.repeat(1_500)}`, '/'],
    ] as const) {
      at(`${service.app}${page}`)
      const url = createClient({ listen: false }).loginUrl()
      expect(returnUrl(url)).toBe(path)
      expect((await new Person(service.app).visit(service.app + url)).status, page).toBe(200)
    }
  })

  test('is whole for an app on another origin, whatever path of it is given', async () => {
    at('https://spa.example.com/orders/1')
    const asked: string[] = []
    const client = createClient({
      baseUrl: 'https://app.example.com/', listen: false, fetch: (input) => { asked.push(String(input)); return Promise.resolve(new Response(null, { status: 204 })) },
    })
    expect(returnUrl(client.loginUrl())).toBe('https://spa.example.com/orders/1')
    expect(returnUrl(client.loginUrl({ returnUrl: '/x' }))).toBe('https://spa.example.com/x')
    await client.logout()
    await client.logout({ returnUrl: '/bye' })
    expect(asked.map(returnUrl)).toEqual(['https://spa.example.com/', 'https://spa.example.com/bye'])
  })

  test('is a path if baseUrl is this very origin', () => {
    at('https://app.example.com/orders')
    expect(createClient({ baseUrl: 'https://app.example.com/', listen: false }).loginUrl()).toBe('/bff/login?returnUrl=%2Forders')
  })
})

test('of baseUrl, the origin counts', async () => {
  const seen: Request[] = []
  const client = createClient({ baseUrl: 'https://APP.example.com:443/some/path', listen: false, fetch: (input, init) => { seen.push(new Request(input, init)); return Promise.resolve(new Response()) } })
  await client.fetch('/api/x')
  await client.fetch(new Request('https://app.example.com/api/x', { credentials: 'omit' }))
  expect(seen.map((r) => [r.url, r.headers.get('X-CSRF'), r.credentials])).toEqual([['https://app.example.com/api/x', '1', 'include'], ['https://app.example.com/api/x', '1', 'omit']])
})

test('a server has no events to listen to', () => {
  vi.stubGlobal('EventSource', class { constructor() { throw new Error('a relative URL without a page') } })
  expect(createClient().session.get()).toEqual({ status: 'unknown' })
})

test('a listener that another one has just stopped is not called', () => {
  const listeners = new Listeners<string>()
  const heard: string[] = []
  listeners.add(() => stop())
  const stop = listeners.add((what) => heard.push(what))
  listeners.tell('x')
  expect(heard).toEqual([])
})

test('somebody else who logs in ends the session of whoever was there', async () => {
  let subject = 'alice'
  const client = createClient({ baseUrl: 'https://app.example.com', listen: false, fetch: () => Promise.resolve(Response.json({ ...alive, subject })) })
  const ended: EndReason[] = []
  client.onEnded((reason) => ended.push(reason))
  await client.getSession()
  subject = 'bob'
  await client.getSession()
  expect([ended, client.session.get().status]).toEqual([['logout'], 'active'])
})

test("an API's own 401, and a step-up, leave the session as it is", async () => {
  const answers = [
    new Response('{"error":"no"}', { status: 401, headers: { 'Content-Type': 'application/json' } }),
    new Response('{"code":"step_up_required","login_url":"/bff/login?acr_values=mfa"}', { status: 401, headers: { 'Content-Type': 'application/problem+json' } }),
  ]
  const client = createClient({ baseUrl: 'https://app.example.com', listen: false, fetch: () => Promise.resolve(answers.shift() as Response) })
  const told: Unauthenticated[] = []
  client.onUnauthenticated((what) => told.push(what))
  await client.fetch('/api/x')
  await client.fetch('/api/x')
  expect(told).toEqual([{ code: 'step_up_required', loginUrl: 'https://app.example.com/bff/login?acr_values=mfa' }])
  expect(client.session.get()).toEqual({ status: 'unknown' })
})

test('an outage is never taken for a logout', async () => {
  const client = createClient({
    baseUrl: 'https://app.example.com', listen: false,
    fetch: () => Promise.resolve(new Response('{"code":"store_unavailable"}', { status: 503, headers: { 'Content-Type': 'application/problem+json', 'Retry-After': '5' } })),
  })
  await expect(client.user()).rejects.toMatchObject({ status: 503, code: 'store_unavailable', retryAfter: 5 })
  expect(client.session.get()).toEqual({ status: 'unknown' })
})
