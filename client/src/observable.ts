/** A value with notifications of its changes, as React's useSyncExternalStore needs it. */
export interface Observable<T> {
  get(): T
  /** Calls `listener` with each new value. The returned function unsubscribes it. */
  subscribe(listener: (value: T) => void): () => void
}

/** Listeners are called in the order in which they were added. If one throws, the others are called nevertheless. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>()

  add(listener: (value: T) => void): () => void {
    const own = (value: T) => listener(value) // the same function may be added twice
    this.#listeners.add(own)
    return () => { this.#listeners.delete(own) }
  }

  tell(value: T): void {
    for (const listener of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue // another listener has just removed it
      try {
        listener(value)
      } catch (error) {
        queueMicrotask(() => { throw error }) // an error of the app, reported as its uncaught error
      }
    }
  }
}

/** A Value is an Observable that its owner sets. */
export class Value<T> implements Observable<T> {
  readonly #listeners = new Listeners<T>()

  constructor(private current: T) {}

  get = (): T => this.current

  subscribe = (listener: (value: T) => void): (() => void) => this.#listeners.add(listener)

  /** Sets the value. Listeners are not called if it equals the current one. */
  set(value: T): void {
    if (JSON.stringify(value) === JSON.stringify(this.current)) return
    this.current = value
    this.#listeners.tell(value)
  }
}
