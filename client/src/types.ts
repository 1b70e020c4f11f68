/** What `GET /bff/session` tells of a session. Times are RFC 3339, in UTC. */
export interface SessionInfo {
  authenticated: true
  subject: string
  /** The configured id of the provider. */
  provider: string
  created_at: string
  /** The absolute end. */
  expires_at: string
  /** The end if nothing more happens; absent without an idle time-out. */
  idle_expires_at?: string
  access_token_expires_at?: string
  scope?: string
  /**
   * The provider wants the user to log in again before it renews the session. Show a login: calls go on as long as the
   * access token lasts, and are refused after that. It goes away with a new login, or if the provider renews after all.
   */
  reauthentication_required?: true
}

/**
 * Why a session ended: `replaced` by another login in this browser, `surplus` beside too many others of the user,
 * `refused` by the provider, which renews it no more. `unknown` is for an end that was noticed without having been told.
 */
export type EndReason = 'logout' | 'expired' | 'revoked' | 'provider_logout' | 'replaced' | 'surplus' | 'refused' | 'unknown'

/**
 * Where this browser stands. `unknown` is the beginning, and stays while the service can't be asked: an outage is never
 * `anonymous` or `ended`.
 */
export type SessionState =
  | { status: 'unknown' }
  | { status: 'anonymous' }
  | { status: 'active'; session: SessionInfo }
  | { status: 'ended'; reason: EndReason }

/** One of the user's sessions, as `GET /bff/sessions` lists them. */
export interface OwnSession {
  id: string
  current: boolean
  provider: string
  user_agent?: string
  /** Shortened: the network, not the machine. */
  address?: string
  created_at: string
  last_active_at?: string
  expires_at: string
}

/** The user's claims. A claim that was given several times is an array. */
export type Claims = Record<string, unknown> & { sub: string; 'bff:logout_url': string; 'bff:session_expires_in': number }

/** What a login may ask for. */
export interface LoginOptions {
  /** A path of the app to come back to; the current page. */
  returnUrl?: string
  /** The configured id of a provider; without it a person may be asked. */
  provider?: string
  prompt?: 'none' | 'login' | 'consent' | 'select_account'
  loginHint?: string
  acrValues?: string
  /** In seconds. */
  maxAge?: number
  uiLocales?: string
}

/** A call that was refused for want of a login. */
export interface Unauthenticated {
  /**
   * `step_up_required` leaves the session as it is, and so does `reauthentication_required` where `SessionInfo` says so,
   * or where the access token has run out and there is no refresh token; otherwise there is no session any more.
   */
  code: 'not_authenticated' | 'session_expired' | 'reauthentication_required' | 'step_up_required'
  /** Where to log in, with what has to be asked for there. Navigate to it. */
  loginUrl: string
}

/** The session runs out unless there is activity, or at all. */
export interface Expiring {
  expires_at: string
  in_seconds: number
}
