import { Feed, since, type Message } from './feed.js'
import { Listeners, Value, type Observable } from './observable.js'
import { CloakroomError, details, ok } from './problem.js'
import type { Claims, EndReason, Expiring, LoginOptions, OwnSession, SessionInfo, SessionState, Unauthenticated } from './types.js'

export type { Observable } from './observable.js'
export { CloakroomError } from './problem.js'
export type * from './types.js'

/** Options of a client. All have defaults. */
export interface ClientOptions {
  /** The service's `server.base_path`. Default: `/bff`. */
  basePath?: string
  /** The service's origin, for an app on another origin (`cors.allowed_origins`). Default: this page's origin. */
  baseUrl?: string
  /** The `fetch` to use. Default: the browser's. */
  fetch?: typeof fetch
  /** Whether to receive the session's events over `/bff/events`. Without them, only calls update the state. Default: true. */
  listen?: boolean
}

const silentTimeout = 10_000 // milliseconds
const longestReturn = 1_500 // characters; the service accepts 1800

/** A Client talks to one cloakroom. Make one for the whole app. It has no token, and stores nothing in the browser. */
export class Client {
  readonly #base: string // origin and base path, or the base path alone
  readonly #origin: string // of the service; '' for this page's own
  readonly #fetch: typeof fetch
  readonly #feed: Feed | undefined
  readonly #session = new Value<SessionState>({ status: 'unknown' })
  readonly #ended = new Listeners<EndReason>()
  readonly #expiring = new Listeners<Expiring>()
  readonly #renewed = new Listeners<string>()
  readonly #unauthenticated = new Listeners<Unauthenticated>()
  #asked: Promise<SessionState> | undefined // one look-up for all calls that are refused at the same time

  constructor(options: ClientOptions = {}) {
    const page = globalThis.location
    const origin = options.baseUrl ? new URL(options.baseUrl, page?.href).origin : ''
    this.#origin = origin === page?.origin ? '' : origin
    this.#base = this.#origin + (options.basePath ?? '/bff')
    this.#fetch = options.fetch ?? ((input, init) => globalThis.fetch(input, init))
    if ((options.listen ?? true) && page && typeof EventSource !== 'undefined') { // a server may have EventSource, but no page
      this.#feed = new Feed(`${this.#base}/events`, this.#origin !== '', () => this.#lookUp(), (message) => this.#heard(message))
    }
  }

  /** The state of this browser's session, the same in all tabs. */
  get session(): Observable<SessionState> {
    return this.#session
  }

  /** Calls `listener` when the session has ended, in whichever tab or browser. The returned function unsubscribes it. */
  onEnded = (listener: (reason: EndReason) => void): (() => void) => this.#ended.add(listener)

  /** Calls `listener` when the session will expire soon (`session.expiring_notice` before). */
  onExpiring = (listener: (expiring: Expiring) => void): (() => void) => this.#expiring.add(listener)

  /** Calls `listener` with the new access token's expiry after a renewal. */
  onRenewed = (listener: (expiresAt: string) => void): (() => void) => this.#renewed.add(listener)

  /** Calls `listener` when a call was answered 401 because it needs a login, or a stronger one. */
  onUnauthenticated = (listener: (what: Unauthenticated) => void): (() => void) => this.#unauthenticated.add(listener)

  /**
   * `fetch` for the API behind the service. It adds `X-CSRF: 1` and the session cookie to requests for the service's
   * origin, and to no others. It returns every response unchanged; after a 401 of the service, it also calls
   * `onUnauthenticated`.
   */
  fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = input instanceof Request ? input : undefined
    const target = new URL(request?.url ?? (input as string | URL), this.#origin || globalThis.document?.baseURI || globalThis.location?.href)
    const own = this.#origin || globalThis.location?.origin
    if (target.origin !== own) return this.#fetch(input, init)
    const headers = new Headers(init?.headers ?? request?.headers)
    headers.set('X-CSRF', '1')
    const credentials = request?.credentials === 'omit' ? 'omit' : this.#origin ? 'include' : 'same-origin'
    const response = await this.#fetch(request ?? target, { credentials, ...init, headers })
    if (response.status === 401) await this.#refused(response)
    return response
  }

  /** Sends the browser to log in. The page is left; nothing comes after it. */
  login(options: LoginOptions = {}): void {
    location.assign(this.loginUrl(options))
  }

  /** Where `login` would send the browser: for a link. */
  loginUrl(options: LoginOptions = {}): string {
    const query = new URLSearchParams({ returnUrl: this.#back(options.returnUrl ?? this.#here()) })
    const given: Record<string, string | number | undefined> = {
      provider: options.provider, prompt: options.prompt, login_hint: options.loginHint, acr_values: options.acrValues, max_age: options.maxAge,
      ui_locales: options.uiLocales,
    }
    for (const [name, value] of Object.entries(given)) if (value !== undefined) query.set(name, String(value))
    return `${this.#base}/login?${query}`
  }

  /** The path of this page for `returnUrl`; `/` if there is no page or the service would not accept its path. */
  #here(): string {
    const page = globalThis.location
    if (!page) return '/'
    const path = (page.pathname + page.search + page.hash).replaceAll('\\', '%5C') // the service refuses backslashes
    return path.length > longestReturn || path.startsWith('//') ? '/' : path
  }

  /** A path of this app for the service: an absolute URL if the app is on another origin. */
  #back(returnUrl: string): string {
    return this.#origin && globalThis.location ? new URL(returnUrl, location.href).href : returnUrl
  }

  /** Logs out here and at the provider. Navigates to the provider's logout, or to `returnUrl` (`/`). */
  async logout(options: { returnUrl?: string } = {}): Promise<void> {
    const back = this.#back(options.returnUrl ?? '/')
    const query = options.returnUrl || this.#origin ? `?${new URLSearchParams({ returnUrl: back })}` : ''
    const response = await this.#call(`/logout${query}`, { method: 'POST' })
    const next = response.status === 200 ? ((await response.json()) as { redirect?: string }).redirect : undefined
    this.#gone({ status: 'ended', reason: 'logout' }) // the navigation may come before the event
    location.assign(next ?? back)
  }

  /** The user's claims, or null if nobody is logged in. It counts as activity unless `slide` is false. */
  async user(options: { slide?: boolean } = {}): Promise<Claims | null> {
    try {
      const response = await this.#call(`/user?format=object${options.slide === false ? '&slide=false' : ''}`)
      const claims = (await response.json()) as Claims
      if (this.#session.get().status !== 'active') this.#feed?.wake()
      return claims
    } catch (error) {
      if (error instanceof CloakroomError && error.status === 401) return null
      throw error
    }
  }

  /** The session as the service has it now, or null if there is none. It never counts as activity. */
  async getSession(): Promise<SessionInfo | null> {
    const before = this.#session.get()
    const state = await this.#lookUp()
    if (state.status !== 'active') {
      if (this.#session.get() === before) this.#gone(state) // otherwise a newer state has arrived
    } else if (!this.#feed) this.#heard({ type: 'state', state })
    else if (before.status !== 'active') this.#feed.wake()
    return state.status === 'active' ? state.session : null
  }

  /** Renews the access token now. It throws with code `rate_limited` if it was renewed a moment ago. */
  async refresh(): Promise<SessionInfo> {
    return (await (await this.#call('/session/refresh', { method: 'POST' })).json()) as SessionInfo
  }

  /** The user's sessions in all browsers. */
  async sessions(): Promise<OwnSession[]> {
    return (await (await this.#call('/sessions')).json()) as OwnSession[]
  }

  /** Ends one of them. */
  async endSession(id: string): Promise<void> {
    await this.#call(`/sessions/${encodeURIComponent(id)}`, { method: 'DELETE' })
  }

  /** Ends all of them but this one. */
  async endOtherSessions(): Promise<void> {
    await this.#call('/sessions/end-others', { method: 'POST' })
  }

  /**
   * Finds out in a hidden frame whether this browser is logged in at the provider, and logs in if it is. It returns
   * false after ten seconds without an answer. It does not work for an app on another origin.
   */
  silentLogin(options: { provider?: string } = {}): Promise<boolean> {
    const frame = document.createElement('iframe')
    const query = options.provider ? `?${new URLSearchParams({ provider: options.provider })}` : ''
    return new Promise<boolean>((resolve) => {
      const done = (isLoggedIn: boolean) => {
        clearTimeout(limit)
        removeEventListener('message', heard)
        frame.remove()
        if (isLoggedIn) this.#feed?.wake()
        resolve(isLoggedIn)
      }
      const heard = (event: MessageEvent<{ source?: string; isLoggedIn?: boolean } | null>) => {
        if (event.origin === location.origin && event.source === frame.contentWindow && event.data?.source === 'bff-silent-login') done(event.data.isLoggedIn === true)
      }
      const limit = setTimeout(() => done(false), silentTimeout)
      addEventListener('message', heard)
      frame.hidden = true
      frame.src = `${this.#base}/silent-login${query}`
      document.body.append(frame)
    })
  }

  /** Stops listening. Calls still work. */
  close(): void {
    this.#feed?.close()
  }

  async #call(path: string, init?: RequestInit): Promise<Response> {
    return ok(await this.fetch(this.#base + path, { cache: 'no-store', ...init }))
  }

  async #lookUp(): Promise<Extract<SessionState, { status: 'active' | 'anonymous' }>> {
    const session = (await (await this.#call('/session')).json()) as SessionInfo | { authenticated: false }
    return session.authenticated ? { status: 'active', session } : { status: 'anonymous' }
  }

  #heard(message: Message): void {
    if (message.type === 'renewed') return this.#renewed.tell(message.access_token_expires_at)
    if (message.type === 'expiring') return this.#expiring.tell(message.expiring)
    const before = this.#session.get()
    const { state } = message
    if (before.status === 'active' && state.status === 'active' && (before.session.subject !== state.session.subject || before.session.provider !== state.session.provider)) {
      this.#heard({ type: 'state', state: { status: 'ended', reason: 'logout' } }) // somebody else has logged in instead
    }
    this.#session.set(state)
    if (state.status === 'ended' && before.status !== 'ended') this.#ended.tell(state.reason)
  }

  /** Handles that there is no session. */
  #gone(state: SessionState): void {
    if (this.#feed) this.#feed.missed(state)
    else if (this.#session.get().status !== 'ended') this.#heard({ type: 'state', state: since(this.#session.get(), state) })
  }

  /**
   * Whether the session still exists although a call was refused: the call may have been sent before a stronger login,
   * or a login in another tab, gave this browser a new cookie. True if the service does not answer.
   */
  async #goesOn(): Promise<boolean> {
    this.#asked ??= this.#lookUp().finally(() => { this.#asked = undefined })
    return this.#asked.then((state) => {
      if (!this.#feed && state.status === 'active' && this.#session.get().status === 'active') this.#heard({ type: 'state', state })
      return state.status === 'active'
    }, () => true)
  }

  /** Handles a 401 of the service itself. An API's own 401 has no such code, and says nothing about the session. */
  async #refused(response: Response): Promise<void> {
    const { code, login_url: path } = await details(response)
    const loginUrl = this.#origin + (path ?? '')
    if (!loginUrl.startsWith(`${this.#base}/login`)) return
    if (code === 'not_authenticated' || code === 'session_expired') {
      if (this.#session.get().status === 'active' && (await this.#goesOn())) return
    } else if (code !== 'reauthentication_required' && code !== 'step_up_required') return
    this.#unauthenticated.tell({ code, loginUrl })
    // The session continues if it has no refresh token, or if the provider only wants the user to log in again.
    if (code === 'step_up_required' || (code === 'reauthentication_required' && (await this.#goesOn()))) return
    const reasons = { session_expired: 'expired', reauthentication_required: 'refused' } as const
    this.#gone(code === 'not_authenticated' ? { status: 'anonymous' } : { status: 'ended', reason: reasons[code] })
  }
}

/** Makes a Client. */
export function createClient(options?: ClientOptions): Client {
  return new Client(options)
}
