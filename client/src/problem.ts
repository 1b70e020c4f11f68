/** An answer of the service that is an error (RFC 9457). */
export class CloakroomError extends Error {
  override name = 'CloakroomError'

  constructor(
    readonly status: number,
    /** The stable code; `unknown` where the answer was not this service's. */
    readonly code: string,
    detail: string,
    /** For the operator, who finds it in the log. */
    readonly requestId?: string,
    /** Of a 401: where to log in. */
    readonly loginUrl?: string,
    /** In seconds, of a 429 or 503. */
    readonly retryAfter?: number,
  ) {
    super(detail)
  }
}

interface Details {
  code?: string
  title?: string
  detail?: string
  request_id?: string
  login_url?: string
}

/** details reads a problem, of a response that is left unread for the caller. */
export async function details(response: Response): Promise<Details> {
  if (!response.headers.get('Content-Type')?.startsWith('application/problem+json')) return {}
  try {
    return (await response.clone().json()) as Details
  } catch {
    return {}
  }
}

/** ok returns the response if it succeeded, and throws its problem otherwise. */
export async function ok(response: Response): Promise<Response> {
  if (response.ok) return response
  const p = await details(response)
  const wait = Number(response.headers.get('Retry-After'))
  throw new CloakroomError(
    response.status, p.code ?? 'unknown', p.detail ?? p.title ?? `status ${response.status}`, p.request_id, p.login_url, wait > 0 ? wait : undefined,
  )
}
