/** A value that tells of its changes; it fits React's useSyncExternalStore. */
export interface Observable<T> {
  get(): T
  /** Has `listener` called with each new value until the function returned is called. */
  subscribe(listener: (value: T) => void): () => void
}

/** Listeners are called in the order in which they came; one that throws does not keep the others from hearing. */
export class Listeners<T> {
  readonly #listeners = new Set<(value: T) => void>()

  add(listener: (value: T) => void): () => void {
    const own = (value: T) => listener(value) // the same function may listen twice
    this.#listeners.add(own)
    return () => { this.#listeners.delete(own) }
  }

  tell(value: T): void {
    for (const listener of [...this.#listeners]) {
      if (!this.#listeners.has(listener)) continue // one of the others has just stopped it
      try {
        listener(value)
      } catch (error) {
        queueMicrotask(() => { throw error }) // the app's own fault, and its own to hear of
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

  /** Nothing is told of a value that looks like the last one. */
  set(value: T): void {
    if (JSON.stringify(value) === JSON.stringify(this.current)) return
    this.current = value
    this.#listeners.tell(value)
  }
}
