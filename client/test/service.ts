// The real service: the demo's binary, and a person with a browser's cookies who logs in at its provider.
import { spawn } from 'node:child_process'
import { request, type IncomingHttpHeaders } from 'node:http'
import { createServer, type AddressInfo } from 'node:net'

const binary = process.env.CLOAKROOM
if (!binary) throw new Error('CLOAKROOM must name the binary to test: run `make test-client`')

/** A running demo. */
export interface Service {
  app: string
  stop(): Promise<void>
}

/** Starts the demo on a free port. */
export async function startService(...flags: string[]): Promise<Service> {
  const port = await freePort()
  const child = spawn(binary as string, ['demo', '--listen', `127.0.0.1:${port}`, ...flags], { stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  child.stdout.on('data', (chunk) => { output += chunk })
  child.stderr.on('data', (chunk) => { output += chunk })
  const ended = new Promise<void>((resolve) => { child.once('exit', () => resolve()) })
  const app = `http://localhost:${port}`
  for (const deadline = Date.now() + 20_000; ;) {
    if ((await fetch(app).catch(() => undefined))?.ok) break
    if (Date.now() > deadline || child.exitCode !== null) throw new Error(`the demo does not answer:\n${output}`)
    await pause(50)
  }
  return { app, stop: async () => { child.kill('SIGTERM'); await ended } }
}

async function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => { const { port } = server.address() as AddressInfo; server.close(() => resolve(port)) })
  })
}

/** A person without a browser: fetch with cookies, for one origin each. */
export class Person {
  readonly #cookies = new Map<string, Map<string, string>>()

  constructor(readonly app: string) {}

  /** Has the same cookies as another from now on, each their own copy. */
  becomes(other: Person): void {
    for (const [origin, jar] of other.#cookies) this.#cookies.set(origin, new Map(jar))
  }

  /** Loses all cookies. */
  forget(): void {
    this.#cookies.clear()
  }

  fetch: typeof fetch = async (input, init) => {
    const asked = new Request(input, init)
    const { origin } = new URL(asked.url)
    const cookies = this.#send(origin)
    if (cookies) asked.headers.set('Cookie', cookies)
    const response = await fetch(asked, { redirect: 'manual' })
    this.#keep(origin, response.headers.getSetCookie())
    return response
  }

  /** Goes to a page, redirects followed, as a browser does: with fetch, Node would say that a script asks. */
  async visit(url: string, form?: URLSearchParams): Promise<{ url: string; html: string; status: number }> {
    for (let at = url, body = form?.toString(); ;) {
      const response = await this.#load(at, body)
      const next = response.headers.location
      if (!next) return { url: at, html: response.text, status: response.status }
      at = new URL(next, at).href
      body = undefined
    }
  }

  async #load(url: string, body?: string): Promise<{ status: number; headers: IncomingHttpHeaders; text: string }> {
    const { origin } = new URL(url)
    const headers: Record<string, string> = { Accept: 'text/html', 'Sec-Fetch-Mode': 'navigate', 'Sec-Fetch-Dest': 'document', Cookie: this.#send(origin) }
    if (body !== undefined) headers['Content-Type'] = 'application/x-www-form-urlencoded'
    return new Promise((resolve, reject) => {
      request(url, { method: body === undefined ? 'GET' : 'POST', headers }, (response) => {
        this.#keep(origin, response.headers['set-cookie'] ?? [])
        let text = ''
        response.setEncoding('utf8').on('data', (chunk: string) => { text += chunk }).on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, text }))
      }).once('error', reject).end(body)
    })
  }

  #send(origin: string): string {
    return [...(this.#cookies.get(origin) ?? [])].map(([name, value]) => `${name}=${value}`).join('; ')
  }

  #keep(origin: string, lines: string[]): void {
    const jar = this.#cookies.get(origin) ?? new Map<string, string>()
    this.#cookies.set(origin, jar)
    for (const line of lines) {
      const [pair = ''] = line.split(';')
      const name = pair.slice(0, pair.indexOf('='))
      if (/max-age=(0|-)/i.test(line) || /expires=thu, 01 jan 1970/i.test(line)) jar.delete(name)
      else jar.set(name, pair.slice(name.length + 1))
    }
  }

  /** Logs in, as alice unless somebody else is named, and returns the page that the login came back to. */
  async logIn(loginUrl = `${this.app}/bff/login`, username = 'alice', password = 'wonderland'): Promise<string> {
    const page = await this.visit(loginUrl)
    const id = /name="id" value="([^"]+)"/.exec(page.html)?.[1]
    if (!id) return page.url // logged in at the provider already
    const form = new URLSearchParams({ id, username, password })
    return (await this.visit(new URL('/login', page.url).href, form)).url
  }
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms) })

/** Waits until `ask` gives something. */
export async function until<T>(ask: () => T | Promise<T>, what: string, within = 10_000): Promise<NonNullable<T>> {
  for (const deadline = Date.now() + within; ;) {
    const answer = await ask()
    if (answer) return answer
    if (Date.now() > deadline) throw new Error(`waited ${within} ms for ${what}`)
    await pause(20)
  }
}
