// The demo in WebKit (WebKitGTK's MiniBrowser), as far as its WebDriver goes: log in, a second tab, log out.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { until } from './browser.mjs';
import { freePort, startDemo } from './cloakroom.mjs';

const out = fileURLToPath(new URL('../out/', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'cr-webkit-'));
let demo, driver, server, session;

/** One command of WebDriver (W3C), whose answer's value is returned. */
async function command(method, path, body = {}) {
  const answer = await fetch(`${server}${path}`, { method, ...(method === 'POST' && { body: JSON.stringify(body) }) });
  const { value } = await answer.json();
  if (!answer.ok) throw new Error(`${method} ${path}: ${value.error}: ${value.message}`);
  return value;
}

const inSession = (method, path, body) => command(method, `/session/${session}${path}`, body);
const goTo = (url) => inSession('POST', '/url', { url });
const run = (script, ...args) => inSession('POST', '/execute/sync', { script, args });
const runAsync = (script, ...args) => inSession('POST', '/execute/async', { script, args });
const switchTo = (handle) => inSession('POST', '/window', { handle });

const selector = (name) => `[data-testid="${name}"], #${name}`;
const text = (name) => run('return document.querySelector(arguments[0])?.innerText ?? ""', selector(name));
const isShown = (name) => run('return document.querySelector(arguments[0])?.checkVisibility() ?? false', selector(name));

async function click(name) {
  await until(() => isShown(name), `${name} to be shown`, 60_000);
  const found = await inSession('POST', '/element', { using: 'css selector', value: selector(name) });
  await inSession('POST', `/element/${Object.values(found)[0]}/click`);
}

async function shot(name) {
  writeFileSync(`${out}${name}.png`, Buffer.from(await inSession('GET', '/screenshot'), 'base64'));
}

before(async () => {
  mkdirSync(out, { recursive: true });
  demo = await startDemo({ accessTokenLifetime: '4s' });
  const port = await freePort();
  server = `http://127.0.0.1:${port}`;
  driver = spawn('xvfb-run', ['-a', 'WebKitWebDriver', `--port=${port}`], {
    stdio: 'ignore', detached: true,
    env: { ...process.env, HOME: home, XDG_RUNTIME_DIR: home, LIBGL_ALWAYS_SOFTWARE: '1', WEBKIT_DISABLE_COMPOSITING_MODE: '1', NO_AT_BRIDGE: '1' },
  });
  await until(() => fetch(`${server}/status`).then((answer) => answer.ok, () => false), 'WebKitWebDriver', 60_000);
  ({ sessionId: session } = await command('POST', '/session', {
    capabilities: { alwaysMatch: { timeouts: { script: 60_000, pageLoad: 60_000 } } },
  }));
});
after(async () => {
  if (session) await inSession('DELETE', '').catch(() => {});
  if (driver?.pid) {
    try { process.kill(-driver.pid, 'SIGKILL'); } catch { /* has ended */ }
  }
  rmSync(home, { recursive: true, force: true, maxRetries: 10 });
});

test('WebKit: log in, open a second tab, call the API, log out in one and see it in the other', async (t) => {
  await goTo(demo.app);
  await click('login');
  await click('login-alice');
  await until(async () => /alice/i.test(await text('user-name')), 'the app to show the user', 60_000);
  assert.equal(await run('return document.cookie'), '', 'scripts can read a cookie');
  await click('call-api');
  await until(async () => /Bearer \*\*\*/.test(await text('api-result')), 'the API to answer', 60_000);
  await shot('webkit-logged-in');

  const one = await inSession('GET', '/window');
  const { handle: two } = await inSession('POST', '/window/new', { type: 'tab' });
  await switchTo(two);
  await goTo(demo.app);
  await until(async () => /alice/i.test(await text('user-name')), 'the second tab to show the user', 60_000);
  await switchTo(one);
  await click('logout');
  await until(() => isShown('login'), 'the app to offer the login', 60_000);
  await switchTo(two);
  await until(() => isShown('ended-banner'), 'the second tab to hear of it', 60_000);
  await until(async () => (await demo.status()).live_refresh_tokens === 0, 'the refresh token to be revoked', 60_000);
  t.diagnostic(await run('return navigator.userAgent'));
});

test('WebKit: a silent login is answered at once, and says what is true', async (t) => {
  const [said, took, has] = await runAsync(`const done = arguments[0];
    import('/client.js').then(async ({ createClient }) => {
      const began = Date.now();
      const said = await createClient({ listen: false }).silentLogin();
      const took = Date.now() - began;
      const session = await (await fetch('/bff/session', { headers: { 'X-CSRF': '1' } })).json();
      done([said, took, session.authenticated]);
    }).catch((error) => done([String(error), 0, undefined]));`);
  t.diagnostic(`isLoggedIn ${said}, after ${took} ms`);
  assert.equal(said, has, 'what the frame said is not what the browser has');
  assert.ok(said || took < 9_000, `the answer took ${took} ms: nobody gave one`);
});
