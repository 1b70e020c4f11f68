/** An answer of the service that is an error (RFC 9457). */
export declare class CloakroomError extends Error {
    readonly status: number;
    /** The stable code; `unknown` where the answer was not this service's. */
    readonly code: string;
    /** For the operator, who finds it in the log. */
    readonly requestId?: string | undefined;
    /** Of a 401: where to log in. */
    readonly loginUrl?: string | undefined;
    /** In seconds, of a 429 or 503. */
    readonly retryAfter?: number | undefined;
    name: string;
    constructor(status: number, 
    /** The stable code; `unknown` where the answer was not this service's. */
    code: string, detail: string, 
    /** For the operator, who finds it in the log. */
    requestId?: string | undefined, 
    /** Of a 401: where to log in. */
    loginUrl?: string | undefined, 
    /** In seconds, of a 429 or 503. */
    retryAfter?: number | undefined);
}
interface Details {
    code?: string;
    title?: string;
    detail?: string;
    request_id?: string;
    login_url?: string;
}
/** details reads a problem, of a response that is left unread for the caller. */
export declare function details(response: Response): Promise<Details>;
/** ok returns the response if it succeeded, and throws its problem otherwise. */
export declare function ok(response: Response): Promise<Response>;
export {};
