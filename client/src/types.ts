/** A session as `GET /bff/session` shows it. Times are RFC 3339, in UTC. */
export interface SessionInfo {
  authenticated: true
  subject: string
  /** The configured id of the provider. */
  provider: string
  created_at: string
  /** The absolute end. */
  expires_at: string
  /** The end without further activity; absent without an idle timeout. */
  idle_expires_at?: string
  access_token_expires_at?: string
  scope?: string
  /**
   * The provider requires a new login before it renews the access token. Show a login: calls work until the access
   * token expires, and are refused after that. The member disappears with a new login, or if the provider renews after
   * all.
   */
  reauthentication_required?: true
}

/**
 * Why a session ended. `replaced`: by another login in this browser. `surplus`: the user had too many sessions.
 * `refused`: the provider refused to renew it. `unknown`: the end was noticed without an event.
 */
export type EndReason = 'logout' | 'expired' | 'revoked' | 'provider_logout' | 'replaced' | 'surplus' | 'refused' | 'unknown'

/**
 * The state of this browser's session. It is `unknown` at first, and while the service does not answer: an outage is
 * never `anonymous` or `ended`.
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
  /** Shortened to the network, without the machine. */
  address?: string
  created_at: string
  last_active_at?: string
  expires_at: string
}

/** The user's claims. A claim with several values is an array. */
export type Claims = Record<string, unknown> & { sub: string; 'bff:logout_url': string; 'bff:session_expires_in': number }

/** Options of a login. */
export interface LoginOptions {
  /** The path of the app to return to. Default: the current page. */
  returnUrl?: string
  /** The configured id of a provider. Without it, the user may have to choose. */
  provider?: string
  prompt?: 'none' | 'login' | 'consent' | 'select_account'
  loginHint?: string
  acrValues?: string
  /** In seconds. */
  maxAge?: number
  uiLocales?: string
}

/** A call that was refused because it needs a login. */
export interface Unauthenticated {
  /**
   * After `step_up_required`, the session continues. After `reauthentication_required`, it continues if `SessionInfo`
   * says so, or if the access token has expired and there is no refresh token. After the others, it has ended.
   */
  code: 'not_authenticated' | 'session_expired' | 'reauthentication_required' | 'step_up_required'
  /** The URL of the login, with its required parameters. Navigate to it. */
  loginUrl: string
}

/** The session will expire: without further activity, or in any case. */
export interface Expiring {
  expires_at: string
  in_seconds: number
}
