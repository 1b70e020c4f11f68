import { type Observable } from './observable.js';
import type { Claims, EndReason, Expiring, LoginOptions, OwnSession, SessionInfo, SessionState, Unauthenticated } from './types.js';
export type { Observable } from './observable.js';
export { CloakroomError } from './problem.js';
export type * from './types.js';
/** What can be chosen about a client; all of it has a default. */
export interface ClientOptions {
    /** The service's `server.base_path`; `/bff`. */
    basePath?: string;
    /** The service's origin, for an app that lives on another one (`cors.allowed_origins`); this page's own. */
    baseUrl?: string;
    /** The `fetch` to use; the browser's. */
    fetch?: typeof fetch;
    /** Whether to hear of the session over `/bff/events` (true). Without, only what calls find out is known. */
    listen?: boolean;
}
/** A Client speaks to one cloakroom. Make one for the whole app; it holds no token, and keeps nothing in the browser. */
export declare class Client {
    #private;
    constructor(options?: ClientOptions);
    /** Where this browser stands, in all tabs at once. */
    get session(): Observable<SessionState>;
    /** Has `listener` called when the session has ended, wherever that was done; until the function returned is called. */
    onEnded: (listener: (reason: EndReason) => void) => (() => void);
    /** Has `listener` called some time before the session runs out (`session.expiring_notice`). */
    onExpiring: (listener: (expiring: Expiring) => void) => (() => void);
    /** Has `listener` called with the new access token's expiry when it was renewed. */
    onRenewed: (listener: (expiresAt: string) => void) => (() => void);
    /** Has `listener` called when a call was answered 401 for want of a login, or of a stronger one. */
    onUnauthenticated: (listener: (what: Unauthenticated) => void) => (() => void);
    /**
     * `fetch` for the API behind the service: it adds `X-CSRF: 1` and the session cookie to requests for the service's own
     * origin, and to no others. The response comes back as it is, a 401 too, which is told to `onUnauthenticated` besides.
     */
    fetch: (input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;
    /** Sends the browser to log in. The page is left; nothing comes after it. */
    login(options?: LoginOptions): void;
    /** Where `login` would send the browser: for a link. */
    loginUrl(options?: LoginOptions): string;
    /** Logs out here and at the provider. The page is left for the provider's logout, or for `returnUrl` (`/`). */
    logout(options?: {
        returnUrl?: string;
    }): Promise<void>;
    /** The claims of whoever is logged in, or null. It counts as activity unless `slide` is false. */
    user(options?: {
        slide?: boolean;
    }): Promise<Claims | null>;
    /** What the service knows of the session now, or null. It never counts as activity. */
    getSession(): Promise<SessionInfo | null>;
    /** Renews the access token now. It throws with code `rate_limited` if that was done a moment ago. */
    refresh(): Promise<SessionInfo>;
    /** The user's own sessions, in all their browsers. */
    sessions(): Promise<OwnSession[]>;
    /** Ends one of them. */
    endSession(id: string): Promise<void>;
    /** Ends all of them but this one. */
    endOtherSessions(): Promise<void>;
    /**
     * Asks in a hidden frame whether this browser is logged in at the provider, and logs in if it is. Not for an app on
     * another origin, whose frame the service would not speak to; false after ten seconds without an answer.
     */
    silentLogin(options?: {
        provider?: string;
    }): Promise<boolean>;
    /** Stops listening. The client can still be asked. */
    close(): void;
}
/** Makes a Client. */
export declare function createClient(options?: ClientOptions): Client;
