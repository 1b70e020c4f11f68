// This page's access to cloakroom, through the client that any app can use (folder client). The listeners
// receive every answer, so that the page can check that it gets no token.
import { createClient } from './client.js';

const client = createClient();
const listeners = [];

/** Calls fn(body) with the text of every answer that this page receives. */
export const onBody = (fn) => listeners.push(fn);

/** A call of the API, or of the service. */
export async function call(path, options = {}) {
  const response = await client.fetch(path, options);
  const text = await response.text();
  listeners.forEach((fn) => fn(text));
  let body;
  try { body = JSON.parse(text); } catch { body = text; }
  return { ok: response.ok, status: response.status, body };
}

/** The user's claims, or undefined if nobody is logged in. */
export async function user() {
  const { ok, body } = await call('/bff/user');
  return ok ? body : undefined;
}

export const session = async () => (await call('/bff/session')).body;

export const login = () => client.login({ returnUrl: location.pathname });

/** Calls the functions when the session changes, or ends (with the reason), in whichever tab or browser. */
export function watch(onSession, onEnded) {
  const hear = (state) => { if (state.status === 'active') onSession(state.session); };
  const stops = [client.session.subscribe(hear), client.onEnded(onEnded)];
  hear(client.session.get());
  return () => stops.forEach((stop) => stop());
}
