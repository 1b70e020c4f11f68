import type { Expiring, SessionState } from './types.js';
/** What the feed tells; the same in every tab. */
export type Message = {
    type: 'state';
    state: SessionState;
} | {
    type: 'renewed';
    access_token_expires_at: string;
} | {
    type: 'expiring';
    expiring: Expiring;
};
/**
 * A Feed hears of the session over `/bff/events`, once for all tabs of this browser: the tab that holds a Web Lock
 * listens, and passes on what it hears by BroadcastChannel. When it closes, another one takes over; so it does when the
 * browser has put it to sleep, and a tab that somebody looks at gets no answer. Without those two, or where the browser
 * refuses either since it blocks cookies, each tab listens for itself.
 */
export declare class Feed {
    #private;
    /** `ask` looks up the state, and throws while the service can't be asked. */
    constructor(url: string, withCredentials: boolean, ask: () => Promise<SessionState>, tell: (message: Message) => void);
    /** Makes sure that somebody listens: called when a person looks at this tab, and when a login may have happened. */
    wake(): void;
    /** Takes in that there is no session, which somebody noticed without having been told. */
    missed(state: SessionState): void;
    close(): void;
}
/** What a state is after another: who was there and is not any more has left, for whatever reason. */
export declare function since(before: SessionState, state: SessionState): SessionState;
