import type { EndReason, Expiring, SessionInfo, SessionState } from './types.js'

/** What the feed tells; the same in every tab. */
export type Message =
  | { type: 'state'; state: SessionState }
  | { type: 'renewed'; access_token_expires_at: string }
  | { type: 'expiring'; expiring: Expiring }

type Posted = Message | { type: 'hello' }

const firstPause = 1_000 // milliseconds
const longestPause = 30_000
const longestSilence = 2_000

/**
 * A Feed hears of the session over `/bff/events`, once for all tabs of this browser: the tab that holds a Web Lock
 * listens, and passes on what it hears by BroadcastChannel. When it closes, another one takes over; so it does when the
 * browser has put it to sleep, and a tab that somebody looks at gets no answer. Without those two, each tab listens for
 * itself.
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
  #silence: ReturnType<typeof setTimeout> | undefined // until the leader is taken to be asleep
  #leads = false

  /** `ask` looks up the state, and throws while the service can't be asked. */
  constructor(url: string, withCredentials: boolean, ask: () => Promise<SessionState>, tell: (message: Message) => void) {
    this.#url = url
    this.#withCredentials = withCredentials
    this.#ask = ask
    this.#tell = tell
    this.#name = `cloakroom ${url}`
    this.#start()
  }

  #start(): void {
    const seen = () => { if (document.visibilityState === 'visible') this.wake() }
    for (const [target, event] of [[globalThis.document, 'visibilitychange'], [globalThis.window, 'pageshow'], [globalThis.window, 'online']] as const) {
      target?.addEventListener(event, seen, { signal: this.#stop.signal })
    }
    if (typeof BroadcastChannel === 'undefined' || !globalThis.navigator?.locks) {
      this.#lead()
      return
    }
    this.#channel = new BroadcastChannel(this.#name)
    this.#channel.onmessage = ({ data }: MessageEvent<Posted>) => this.#heard(data)
    this.#channel.postMessage({ type: 'hello' })
    this.#queue()
  }

  /** Waits for the lock, for as long as this tab lives. Another tab may take it away. */
  #queue(): void {
    navigator.locks.request(this.#name, { signal: this.#stop.signal }, () => this.#hold()).catch(() => {
      if (this.#stop.signal.aborted) return
      this.#demote()
      this.#queue()
    })
  }

  #hold(): Promise<void> {
    this.#lead()
    return this.#closed
  }

  #demote(): void {
    this.#leads = false
    clearTimeout(this.#retry)
    this.#disconnect()
  }

  /** Makes sure that somebody listens: called when a person looks at this tab, and when a login may have happened. */
  wake(): void {
    if (this.#stop.signal.aborted) return
    if (this.#leads) {
      if (!this.#source) this.#connect()
      return
    }
    this.#channel?.postMessage({ type: 'hello' })
    this.#silence ??= setTimeout(() => {
      navigator.locks.request(this.#name, { steal: true }, () => this.#hold()).catch(() => this.#demote()) // still in the queue
    }, longestSilence)
  }

  /** What another tab says: the leader's word, or a new tab that wants to know. */
  #heard(message: Posted): void {
    if (message.type !== 'hello') {
      clearTimeout(this.#silence)
      this.#silence = undefined
      if (this.#leads) return
      if (message.type === 'state') this.#told(message.state)
      else this.#take(message)
      return
    }
    if (!this.#leads) return
    this.#channel?.postMessage({ type: 'state', state: this.#state })
    if (!this.#source) this.#connect() // somebody may have logged in there
  }

  /** A tab that never knew the session has not seen it end; one that has seen it knows more than that nobody is there. */
  #told(state: SessionState): void {
    const own = this.#state.status
    if (own === 'ended' && state.status !== 'active') return
    this.#take({ type: 'state', state: state.status === 'ended' && own !== 'active' ? { status: 'anonymous' } : state })
  }

  #lead(): void {
    clearTimeout(this.#silence)
    this.#silence = undefined
    this.#leads = true
    this.#connect()
  }

  /** Takes a message for this tab; the leader passes it on. */
  #take(message: Message): void {
    if (message.type === 'state') this.#state = message.state
    this.#tell(message)
    if (this.#leads && !this.#stop.signal.aborted) this.#channel?.postMessage(message)
  }

  #connect(): void {
    if (this.#stop.signal.aborted) return
    clearTimeout(this.#retry)
    this.#source?.close()
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
      this.#take({ type: 'state', state: { status: 'ended', reason } })
    })
    source.onerror = () => {
      if (source !== this.#source || source.readyState !== EventSource.CLOSED) return // the browser tries again by itself
      this.#disconnect()
      void this.#lookUp()
    }
  }

  #disconnect(): void {
    this.#source?.close()
    this.#source = undefined
  }

  /** The stream was refused, and an EventSource does not tell why: the session is asked for. */
  async #lookUp(): Promise<void> {
    try {
      const state = await this.#ask()
      if (this.#stop.signal.aborted || this.#source) return
      if (state.status !== 'active') {
        this.missed(state)
        return
      }
    } catch {
      // The service can't be asked: nothing is known of the session, and nothing is said of it.
    }
    if (this.#stop.signal.aborted || this.#source) return
    this.#retry = setTimeout(() => this.#connect(), this.#pause * (0.5 + Math.random()))
    this.#pause = Math.min(2 * this.#pause, longestPause)
  }

  /** Takes in that there is no session, which somebody noticed without having been told. */
  missed(state: SessionState): void {
    if (this.#state.status === 'ended') return // why is known better already
    const wasActive = this.#state.status === 'active'
    this.#take({ type: 'state', state: wasActive && state.status === 'anonymous' ? { status: 'ended', reason: 'unknown' } : state })
    if (!this.#leads && !this.#stop.signal.aborted) this.#channel?.postMessage({ type: 'state', state: this.#state })
  }

  close(): void {
    this.#stop.abort()
    clearTimeout(this.#retry)
    clearTimeout(this.#silence)
    this.#disconnect()
    this.#channel?.close()
  }
}
