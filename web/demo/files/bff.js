// What an app needs to know of cloakroom: one header, one endpoint for the user, and where to
// navigate to. Every answer also goes past the listeners, which is how the page watches itself.
const listeners = [];

/** Calls fn(body) with the text of every answer this page gets. */
export const onBody = (fn) => listeners.push(fn);

/** fetch with the header that a request of another origin can't have. */
export async function call(path, options = {}) {
  const response = await fetch(path, { ...options, headers: { 'X-CSRF': '1', ...options.headers } });
  const text = await response.text();
  listeners.forEach((fn) => fn(text));
  let body;
  try { body = JSON.parse(text); } catch { body = text; }
  return { ok: response.ok, status: response.status, body };
}

/** The claims of whoever is logged in, or undefined. */
export async function user() {
  const { ok, body } = await call('/bff/user');
  return ok ? body : undefined;
}

export const session = async () => (await call('/bff/session')).body;

export const login = () => { location.href = `/bff/login?returnUrl=${encodeURIComponent(location.pathname)}`; };

/** Hears of changes to the session, and of its end with the reason. */
export function watch(onSession, onEnded) {
  const source = new EventSource('/bff/events');
  source.addEventListener('session', (e) => onSession(JSON.parse(e.data)));
  source.addEventListener('ended', (e) => { source.close(); onEnded(JSON.parse(e.data).reason); });
  return () => source.close();
}
