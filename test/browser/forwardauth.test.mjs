// An application behind nginx, which asks cloakroom before each request, set up as deploy/nginx says. The application is on
// localhost and the provider on 127.0.0.1, so they are different sites and SameSite=Strict counts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import { person, until } from './browser.mjs';
import { atEnd, freePort, start } from './cloakroom.mjs';
import { clickProvider } from './provider.mjs';

const folder = mkdtempSync(join(tmpdir(), 'cloakroom-forward-auth-'));
const secret = 'a-secret-of-the-proxy-and-of-nobody-else';
let site;
let provider;

before(async () => {
  provider = await clickProvider();
  const [front, own] = [await freePort(), await freePort()];
  site = `http://localhost:${front}`;
  writeFileSync(join(folder, 'cloakroom.yaml'), `
server: {public_url: "${site}", listen: "127.0.0.1:${own}", admin_listen: "127.0.0.1:${own + 1}", drain_delay: 0s}
log: {level: error, format: text}
session: {store: "memory:"}
providers: [{id: main, issuer: "${provider.issuer}", client_id: app, client_secret: not-a-secret, scopes: [openid]}]
forward_auth: {secret: ${secret}}
`);
  await start(['serve', '--config', join(folder, 'cloakroom.yaml')], `http://127.0.0.1:${own + 1}/healthz`);
  await nginx(front, own, await application());
});
after(() => rmSync(folder, { recursive: true, force: true }));

/** A page with a style sheet and a script. */
async function application() {
  const parts = {
    '/app.css': ['text/css', 'h1 { color: rgb(1, 2, 3) }'],
    '/app.js': ['text/javascript', 'document.querySelector("h1").textContent += ", scripted"'],
  };
  const server = createServer((req, res) => {
    const [type, body] = parts[req.url] ?? ['text/html', '<!doctype html><link rel="stylesheet" href="/app.css"><h1>orders</h1><script src="/app.js"></script>'];
    res.setHeader('Content-Type', type);
    res.end(body);
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  atEnd(() => { server.closeAllConnections(); server.close(); });
  return `127.0.0.1:${server.address().port}`;
}

async function nginx(port, cloakroom, app) {
  const example = readFileSync(fileURLToPath(new URL('../../deploy/nginx/forward-auth.conf', import.meta.url)), 'utf8')
    .replace('listen 8080', `listen 127.0.0.1:${port}`).replaceAll('//CLOAKROOM', `//127.0.0.1:${cloakroom}`)
    .replaceAll('"SECRET"', `"${secret}"`).replaceAll('//APP', `//${app}`);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((what) => `${what}_temp_path ${folder}/${what};`);
  writeFileSync(join(folder, 'nginx.conf'), `${process.getuid() === 0 ? 'user root;' : ''}
daemon off; pid ${folder}/nginx.pid; error_log stderr warn; events {}
http { access_log off; ${temporary.join(' ')}
${example}}`);
  const child = spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], {
    stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` },
  });
  const ended = new Promise((resolve) => { child.once('exit', resolve); });
  atEnd(async () => { child.kill('SIGTERM'); await ended; });
  await until(() => fetch(site).then(() => true, () => false), 'nginx to listen');
}

async function wantApplication(page) {
  await page.getByRole('heading', { name: 'orders, scripted' }).waitFor();
  assert.equal(page.url(), `${site}/orders?x=1`);
  assert.equal(await page.locator('h1').evaluate((e) => getComputedStyle(e).color), 'rgb(1, 2, 3)', 'the style sheet is missing');
}

test('one login leads into a guarded application, and so do links of other sites then', async () => {
  const alice = await person();
  const page = await alice.page();
  provider.logins = 0;
  await page.goto(`${site}/orders?x=1`);
  await page.locator('#log-in').click();
  await wantApplication(page);
  assert.equal(provider.logins, 1);
  assert.equal((await alice.context.cookies(site)).find((c) => c.name === 'cloakroom').sameSite, 'Strict');

  await page.goto(`${provider.issuer}/authorize`); // a page of another site
  await page.locator('#log-in').evaluate((a, to) => { a.href = to; }, `${site}/orders?x=1`);
  await page.locator('#log-in').click();
  await wantApplication(page);
  assert.equal(provider.logins, 1, 'a link of another site logged in anew');
  await page.reload();
  await wantApplication(page);
  assert.deepEqual(await alice.done(), []);
});

test('a link of another site leads who is not logged in to the login', async () => {
  const bob = await person();
  const page = await bob.page();
  provider.logins = 0;
  await page.goto(`${provider.issuer}/authorize`);
  await page.locator('#log-in').evaluate((a, to) => { a.href = to; }, `${site}/orders?x=1`);
  await page.locator('#log-in').click();
  await page.waitForURL((url) => url.href.startsWith(`${provider.issuer}/authorize?`));
  await page.locator('#log-in').click();
  await wantApplication(page);
  assert.equal(provider.logins, 1);
  assert.deepEqual(await bob.done(), []);
});
