// A service whose every answer the test decides, for what a real one does only on a bad day: streams that break, calls
// that take long, a session that is gone without a word. Its pages have no client but those that the test makes.
import { readFileSync } from 'node:fs'
import { createServer, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'

import type { SessionInfo } from '../src/index.js'

const dist = fileURLToPath(new URL('../dist/index.js', import.meta.url))

export const sessionOf = (subject: string): SessionInfo => ({
  authenticated: true, subject, provider: 'main', created_at: '2030-01-01T00:00:00Z', expires_at: '2030-01-01T12:00:00Z',
})

export class Stage {
  /** Who the browser's cookie is of, which open streams are told of only by `send`. */
  session: SessionInfo | undefined = sessionOf('alice')
  /** The status of /bff/events, or 'hang up'; 0: as the session is. */
  events: number | 'hang up' = 0
  /** What a stream begins with, after the session. */
  begin = ''
  /** Of /bff/session; 0: as the session is. */
  lookUp = 0
  /** Before /bff/session answers what was true when it was asked. */
  slow: Promise<void> = Promise.resolve()
  /** Connections to /bff/events so far, refused ones too. */
  tried = 0
  readonly paths: string[] = []
  readonly #streams = new Set<ServerResponse>()
  readonly #server = createServer((request, response) => { void this.#answer(request.url ?? '', response) })
  origin = ''

  static async start(): Promise<Stage> {
    const stage = new Stage()
    await new Promise<void>((resolve) => { stage.#server.listen(0, '127.0.0.1', resolve) })
    stage.origin = `http://localhost:${(stage.#server.address() as AddressInfo).port}`
    return stage
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise((resolve) => { this.#server.close(resolve) })
  }

  /** Sends an event to whoever listens. */
  send(event: string, data: object): void {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)
  }

  /** Closes all streams, which leaves the browser to come back after `retry` milliseconds. */
  cut(retry: number): void {
    for (const stream of this.#streams) stream.end(`retry: ${retry}\n\n`)
  }

  get listeners(): number { return this.#streams.size }

  async #answer(url: string, to: ServerResponse): Promise<void> {
    this.paths.push(url)
    const { pathname } = new URL(url, 'http://x')
    const json = (status: number, body: object) => { to.writeHead(status, { 'Content-Type': status < 400 ? 'application/json' : 'application/problem+json', 'Cache-Control': 'no-store' }).end(JSON.stringify(body)) }
    const page = (headers: Record<string, string>, body: string) => { to.writeHead(200, { 'Content-Type': 'text/html', ...headers }).end(`<!doctype html><link rel="icon" href="data:,">${body}`) }
    const nobody = () => json(401, { code: 'not_authenticated', login_url: '/bff/login' })
    switch (pathname) {
      case '/blank': return page({}, 'blank')
      case '/based': return page({}, '<base href="/app/">')
      case '/sandboxed': return page({ 'Content-Security-Policy': 'sandbox allow-scripts' }, 'sandboxed')
      case '/client.js': return void to.writeHead(200, { 'Content-Type': 'text/javascript', 'Access-Control-Allow-Origin': '*' }).end(readFileSync(dist))
      case '/bff/events': return this.#listen(to, nobody)
      case '/bff/session': {
        const session = this.session ?? { authenticated: false }
        await this.slow
        return this.lookUp ? json(this.lookUp, {}) : json(200, session)
      }
      case '/bff/logout': this.session = undefined; return void to.writeHead(204).end()
    }
    return this.session ? json(200, {}) : nobody()
  }

  #listen(to: ServerResponse, nobody: () => void): void {
    this.tried += 1
    if (this.events === 'hang up') return void to.destroy()
    if (this.events) return void to.writeHead(this.events).end()
    if (!this.session) return nobody()
    to.writeHead(200, { 'Content-Type': 'text/event-stream' }).write(`event: session\ndata: ${JSON.stringify(this.session)}\n\n${this.begin}`)
    this.#streams.add(to)
    to.once('close', () => this.#streams.delete(to))
  }
}
