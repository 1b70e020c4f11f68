/** A value that tells of its changes; it fits React's useSyncExternalStore. */
export interface Observable<T> {
    get(): T;
    /** Has `listener` called with each new value until the function returned is called. */
    subscribe(listener: (value: T) => void): () => void;
}
/** Listeners are called in the order in which they came; one that throws does not keep the others from hearing. */
export declare class Listeners<T> {
    #private;
    add(listener: (value: T) => void): () => void;
    tell(value: T): void;
}
/** A Value is an Observable that its owner sets. */
export declare class Value<T> implements Observable<T> {
    #private;
    private current;
    constructor(current: T);
    get: () => T;
    subscribe: (listener: (value: T) => void) => (() => void);
    /** Nothing is told of a value that looks like the last one. */
    set(value: T): void;
}
