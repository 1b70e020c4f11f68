// An app whose service worker passes on all that the browser asks for, navigations included. The provider is on another
// site, so that SameSite=Strict counts.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { person, until } from './browser.mjs';
import { atEnd, freePort, start } from './cloakroom.mjs';
import { clickProvider } from './provider.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cloakroom-service-worker-'));
let site;
let provider;
const seen = []; // of the API, what Fetch Metadata says

before(async () => {
  provider = await clickProvider();
  const api = createServer((req, res) => {
    seen.push(`${req.headers['sec-fetch-mode']} ${req.headers['sec-fetch-dest']}`);
    res.setHeader('Content-Type', 'text/plain');
    res.end('from the API');
  });
  await new Promise((resolve) => { api.listen(0, '127.0.0.1', resolve); });
  atEnd(() => { api.closeAllConnections(); api.close(); });
  const port = await freePort();
  site = `http://localhost:${port}`;
  writeFileSync(join(folder, 'cloakroom.yaml'), `
server: {public_url: "${site}", listen: "127.0.0.1:${port}", admin_listen: "127.0.0.1:${port + 1}", drain_delay: 0s}
log: {level: error, format: text}
session: {store: "memory:"}
providers: [{id: main, issuer: "${provider.issuer}", client_id: app, client_secret: not-a-secret, scopes: [openid]}]
routes: [{path: /files/, upstream: "http://127.0.0.1:${api.address().port}", csrf: fetch-metadata}]
spa: {dir: "${folder}"}
`);
  writeFileSync(join(folder, 'sw.js'), `
addEventListener('install', () => skipWaiting())
addEventListener('activate', (event) => event.waitUntil(clients.claim()))
addEventListener('fetch', (event) => event.respondWith(fetch(event.request)))
`);
  writeFileSync(join(folder, 'index.html'), `<!doctype html><title>app</title><h1>app</h1>
<a id="login" href="/bff/login?returnUrl=/deep/link">Log in</a><a id="logout">Log out</a><script>
navigator.serviceWorker.register('/sw.js')
fetch('/bff/user', { headers: { 'X-CSRF': '1' } }).then((r) => r.ok ? r.json() : []).then((claims) => {
  const out = claims.find((c) => c.type === 'bff:logout_url')
  if (out) document.querySelector('#logout').href = out.value
  document.querySelector('h1').textContent = out ? 'logged in' : 'nobody'
})
</script>`);
  await start(['serve', '--config', join(folder, 'cloakroom.yaml')], `http://127.0.0.1:${port + 1}/healthz`);
});
after(() => rmSync(folder, { recursive: true, force: true }));

test('a service worker that passes all on is in nobody\'s way', async () => {
  const alice = await person();
  const page = await alice.page();
  await page.goto(`${site}/`);
  await until(() => page.evaluate(() => Boolean(navigator.serviceWorker.controller)), 'the worker to take over');

  await page.locator('#login').click();
  await page.locator('#log-in').click();
  await page.getByRole('heading', { name: 'logged in' }).waitFor();
  assert.equal(page.url(), `${site}/deep/link`, 'the deep link was not served');

  const file = await page.goto(`${site}/files/report.txt`);
  assert.equal(file.status(), 200);
  assert.equal(seen.at(-1), 'navigate empty', 'not what this test is about: the worker did not send it');

  const sessions = await page.goto(`${site}/bff/sessions`);
  assert.equal(sessions.status(), 200);
  assert.match(sessions.headers()['content-type'], /^text\/html/);

  const missing = await page.goto(`${site}/bff/typo`);
  assert.equal(missing.status(), 404);
  assert.match(missing.headers()['content-type'], /^text\/html/, 'an error that a person reads is a page');

  await page.goto(`${provider.issuer}/authorize`); // a page of another site, with a link to the app
  await page.locator('#log-in').evaluate((a, to) => { a.href = to; }, `${site}/deep/link`);
  await page.locator('#log-in').click();
  await page.getByRole('heading', { name: 'logged in' }).waitFor();

  await page.locator('#logout').click();
  await page.waitForURL((url) => url.pathname !== '/deep/link');
  await page.goto(`${site}/`);
  await page.getByRole('heading', { name: 'nobody' }).waitFor();
  assert.deepEqual(await alice.done(), []);
});

test('without a worker a frame starts no login', async () => {
  const bob = await person();
  const page = await bob.page();
  await page.goto(`${provider.issuer}/authorize`); // a page that no worker of the app is behind
  const answer = page.waitForResponse((r) => r.url().startsWith(`${site}/bff/login`));
  await page.evaluate((to) => { document.body.append(Object.assign(document.createElement('iframe'), { src: to })); }, `${site}/bff/login`);
  assert.equal((await answer).status(), 400);
  assert.deepEqual(await bob.done(), []);
});
