import type { EndReason, Expiring, SessionInfo, SessionState } from './types.js'

/** A message of the feed; the same in every tab. */
export type Message =
  | { type: 'state'; state: SessionState }
  | { type: 'renewed'; access_token_expires_at: string }
  | { type: 'expiring'; expiring: Expiring }

type Posted = Message | { type: 'hello' }

const firstPause = 1_000 // all in milliseconds
const longestPause = 30_000
const longestSilence = 2_000
const longestDoubt = 1_000
const haste = 1_000 // if a stream breaks twice within this time, the browser's own retries are stopped

/**
 * A Feed receives the session's events from `/bff/events`, once for all tabs of this browser. The tab that holds a Web
 * Lock (the leader) listens, and forwards the events by BroadcastChannel. When it closes, another tab takes over. A
 * visible tab also takes over when the leader does not answer, because the browser has suspended it. If the browser
 * lacks Web Locks or BroadcastChannel, or refuses them because it blocks cookies, each tab listens for itself.
 */
export class Feed {
  readonly #url: string
  readonly #withCredentials: boolean
  readonly #ask: () => Promise<SessionState>
  readonly #tell: (message: Message) => void
  readonly #stop = new AbortController()
  readonly #closed = new Promise<void>((done) => { this.#stop.signal.addEventListener('abort', () => done()) })
  readonly #name: string
  #channel: BroadcastChannel | undefined
  #source: EventSource | undefined
  #retry: ReturnType<typeof setTimeout> | undefined
  #pause = firstPause
  #state: SessionState = { status: 'unknown' }
  #silence: ReturnType<typeof setTimeout> | undefined // fires when the leader counts as suspended
  #leads = false
  #broke = 0 // the time at which the stream last broke
  #notice: { expires_at: string; end: number } | undefined // the last `expiring`; end is by this machine's clock

  /** `ask` looks up the state, and throws if the service does not answer. */
  constructor(url: string, withCredentials: boolean, ask: () => Promise<SessionState>, tell: (message: Message) => void) {
    this.#url = url
    this.#withCredentials = withCredentials
    this.#ask = ask
    this.#tell = tell
    this.#name = `cloakroom ${url}`
    this.#start()
  }

  #start(): void {
    const isVisible = () => globalThis.document?.visibilityState === 'visible'
    const seen = () => { if (isVisible()) this.wake() }
    for (const [target, event] of [[globalThis.document, 'visibilitychange'], [globalThis.window, 'pageshow'], [globalThis.window, 'online']] as const) {
      target?.addEventListener(event, seen, { signal: this.#stop.signal })
    }
    this.#channel = openChannel(this.#name)
    if (!this.#channel) {
      void this.#lead()
      return
    }
    this.#channel.onmessage = ({ data }: MessageEvent<Posted>) => this.#heard(data)
    if (isVisible()) this.wake()
    else this.#post({ type: 'hello' })
    this.#queue()
  }

  /** Waits for the lock as long as this tab exists. Another tab may steal it. */
  #queue(): void {
    navigator.locks.request(this.#name, { signal: this.#stop.signal }, () => this.#lead()).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return
      if ((error as DOMException).name === 'AbortError') { // stolen
        this.#demote()
        this.#queue()
        return
      }
      this.#channel?.close()
      this.#channel = undefined
      void this.#lead()
    })
  }

  #demote(): void {
    this.#leads = false
    this.#disconnect()
  }

  /** Makes sure that some tab listens. Called when this tab becomes visible, and when a login may have happened. */
  wake(): void {
    if (this.#stop.signal.aborted) return
    if (this.#leads) {
      if (!this.#source) this.#connect()
      return
    }
    this.#post({ type: 'hello' })
    this.#silence ??= setTimeout(() => {
      navigator.locks.request(this.#name, { steal: true }, () => this.#lead()).catch(() => this.#demote()) // still in the queue
    }, longestSilence)
  }

  /** Handles a message of another tab: an event from the leader, a greeting, or the state after a refused call. */
  #heard(message: Posted): void {
    if (message.type === 'hello') {
      if (this.#leads) this.#greet()
      return
    }
    clearTimeout(this.#silence)
    this.#silence = undefined
    const state = message.type === 'state' && message.state
    if (!this.#leads) {
      if (state) this.#told(state)
      else this.#take(message)
    } else if (state && state.status !== 'active' && state.status !== 'unknown' && this.#state.status === 'active') void this.#doubt(state)
  }

  /** Answers a greeting. If nobody is logged in here, it connects first: the other tab may just have logged in. */
  #greet(): void {
    if (this.#state.status === 'active') {
      this.#post({ type: 'state', state: this.#state })
      const { session } = this.#state
      const { expires_at = '', end = 0 } = this.#notice ?? {}
      if (expires_at === session.expires_at || expires_at === session.idle_expires_at) { // activity may have moved it
        this.#post({ type: 'expiring', expiring: { expires_at, in_seconds: Math.round((end - Date.now()) / 1_000) } })
      }
    } else this.#post({ type: 'state', state: { status: 'unknown' } })
    if (!this.#source) this.#connect()
  }

  /**
   * Takes the leader's state. A tab that did not know the session becomes `anonymous`, not `ended`. A tab that knows
   * the reason of the end keeps it.
   */
  #told(state: SessionState): void {
    const own = this.#state.status
    if (state.status === 'unknown' || (own === 'ended' && state.status !== 'active')) return
    this.#take({ type: 'state', state: state.status === 'ended' && own !== 'active' ? { status: 'anonymous' } : since(this.#state, state) })
  }

  /** Verifies an end: it may be that of a ticket which a login has replaced. */
  async #doubt(state: SessionState): Promise<void> {
    const before = (this.#state = { ...this.#state }) // a new object, so that answers to earlier look-ups are ignored
    const source = this.#source
    const late = new Promise<SessionState>((done) => { setTimeout(() => done(state), longestDoubt) })
    const now = await Promise.race([this.#ask().catch(() => state), late])
    if (this.#stop.signal.aborted || this.#source !== source) return // the new stream sends the state
    if (now.status !== 'active') {
      this.missed(state)
      return
    }
    if (this.#state === before) this.#take({ type: 'state', state: now })
    if (this.#leads && !this.#source) this.#connect()
  }

  #lead(): Promise<void> {
    clearTimeout(this.#silence)
    this.#silence = undefined
    this.#leads = true
    this.#connect()
    return this.#closed // keeps the lock until then
  }

  /** Handles an event in this tab; the leader also forwards it. */
  #take(message: Message): void {
    if (message.type === 'state') this.#state = message.state
    if (message.type === 'expiring') {
      const { expires_at, in_seconds } = message.expiring
      if (expires_at === this.#notice?.expires_at) return // a new stream repeats it
      this.#notice = { expires_at, end: Date.now() + 1_000 * in_seconds }
    }
    this.#tell(message)
    if (this.#leads) this.#post(message)
  }

  #post(message: Posted): void {
    if (!this.#stop.signal.aborted) this.#channel?.postMessage(message)
  }

  #connect(): void {
    if (this.#stop.signal.aborted) return
    this.#disconnect()
    const source = new EventSource(this.#url, { withCredentials: this.#withCredentials })
    this.#source = source
    const on = <T>(name: string, take: (data: T) => void) =>
      source.addEventListener(name, (event) => { if (source === this.#source) take(JSON.parse((event as MessageEvent<string>).data) as T) })
    on<SessionInfo>('session', (session) => {
      this.#pause = firstPause
      this.#take({ type: 'state', state: { status: 'active', session } })
    })
    on<{ access_token_expires_at: string }>('renewed', (renewed) => this.#take({ type: 'renewed', ...renewed }))
    on<Expiring>('expiring', (expiring) => this.#take({ type: 'expiring', expiring }))
    on<{ reason: EndReason }>('ended', ({ reason }) => {
      this.#disconnect()
      const state = { status: 'ended', reason } as const
      if (reason === 'logout' || reason === 'replaced') void this.#doubt(state)
      else this.missed(state)
    })
    source.onerror = () => {
      if (source !== this.#source) return
      const hasty = Date.now() - this.#broke < haste
      this.#broke = Date.now()
      // The browser retries by itself, but always after the last `retry:` of the service, which may be 0.
      if (source.readyState !== EventSource.CLOSED && !hasty) return
      this.#disconnect()
      void this.#lookUp()
    }
  }

  #disconnect(): void {
    clearTimeout(this.#retry)
    this.#source?.close()
    this.#source = undefined
  }

  /** Looks the session up after the stream was refused: an EventSource does not tell why. */
  async #lookUp(): Promise<void> {
    const before = this.#state
    const state = await this.#ask().catch(() => undefined) // undefined if the service does not answer
    if (this.#stop.signal.aborted || !this.#leads || this.#source) return
    const news = this.#state === before ? state : undefined
    if (news && news.status !== 'active') {
      this.missed(news)
      return
    }
    this.#retry = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random()))
    this.#pause = Math.min(2 * this.#pause, longestPause)
    if (news) this.#take({ type: 'state', state: news })
  }

  /** Handles that there is no session, when that was noticed without an event. */
  missed(state: SessionState): void {
    if (this.#state.status === 'ended') { // the reason is already known
      if (this.#leads) this.#post({ type: 'state', state: this.#state })
      return
    }
    if (this.#state.status === 'active') this.#disconnect() // the stream may still be open if only the cookie is lost
    this.#take({ type: 'state', state: since(this.#state, state) })
    if (!this.#leads) this.#post({ type: 'state', state: this.#state })
  }

  close(): void {
    this.#stop.abort()
    clearTimeout(this.#silence)
    this.#disconnect()
    this.#channel?.close()
  }
}

/** The channel to the other tabs. It is undefined without Web Locks, or if the browser blocks cookies: Firefox throws. */
function openChannel(name: string): BroadcastChannel | undefined {
  try {
    return globalThis.navigator?.locks ? new BroadcastChannel(name) : undefined
  } catch {
    return undefined
  }
}

/** The state after `before`: `anonymous` after `active` is an end with an unknown reason. */
export function since(before: SessionState, state: SessionState): SessionState {
  return before.status === 'active' && state.status === 'anonymous' ? { status: 'ended', reason: 'unknown' } : state
}
