/** An error answer of the service (RFC 9457). */
export class CloakroomError extends Error {
  override name = 'CloakroomError'

  constructor(
    readonly status: number,
    /** The stable code; `unknown` if the answer was not this service's. */
    readonly code: string,
    detail: string,
    /** The id of the request in the service's log. */
    readonly requestId?: string,
    /** Where to log in, for a 401. */
    readonly loginUrl?: string,
    /** In seconds, for a 429 or 503. */
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

/** details returns the problem in a response. It reads a clone, so that the caller can still read the body. */
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
