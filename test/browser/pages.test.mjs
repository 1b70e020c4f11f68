// The service's own pages, as people see them: in each language, light and dark, wide and narrow.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { person, shot } from './browser.mjs';
import { freePort, start } from './cloakroom.mjs';

let app;
const folder = mkdtempSync(join(tmpdir(), 'cloakroom-pages-'));
after(() => rmSync(folder, { recursive: true, force: true }));

before(async () => {
  const port = await freePort();
  app = `http://localhost:${port}`;
  const provider = (id, name) => `
  - id: ${id}
    name: ${name}
    issuer: http://127.0.0.1:1
    client_id: app
    client_secret: not-a-secret`;
  writeFileSync(join(folder, 'cloakroom.yaml'), `
server: {public_url: "${app}", listen: "127.0.0.1:${port}", admin_listen: "127.0.0.1:0"}
log: {level: error, format: text}
session: {store: "memory:"}
providers:${provider('main', 'Example Login')}${provider('staff', 'Staff <b>&</b> Partners')}
spa: {dir: "${folder}"}
`);
  writeFileSync(join(folder, 'index.html'), '<!doctype html><title>app</title><p>app');
  await start(['serve', '--config', join(folder, 'cloakroom.yaml')], `${app}/`);
});

const looks = [
  { locale: 'en-US', colorScheme: 'light' },
  { locale: 'ja-JP', colorScheme: 'dark' },
  { locale: 'ko-KR', colorScheme: 'light', viewport: { width: 360, height: 740 } },
];

const pages = {
  choose: { path: '/bff/login', status: 200 },
  'provider-down': { path: '/bff/login?provider=main', status: 503 },
  'login-failed': { path: '/bff/callback/main?error=access_denied&error_description=%3Cscript%3Ealert(1)%3C/script%3E&state=x' },
  'cookie-missing': { path: '/bff/callback/main?code=x&state=y' },
  'bad-return-url': { path: '/bff/login?provider=main&returnUrl=https://evil.example/', status: 400 },
};

for (const look of looks) {
  for (const [name, { path, status }] of Object.entries(pages)) {
    test(`${name} in ${look.locale}, ${look.colorScheme}`, async () => {
      const visitor = await person(look);
      const page = await visitor.page();
      const broken = [];
      page.on('pageerror', (err) => broken.push(String(err)));
      page.on('console', (m) => { if (/Content.Security.Policy/i.test(m.text())) broken.push(m.text()); });
      page.on('dialog', (d) => { broken.push(d.message()); d.dismiss(); });
      const response = await page.goto(app + path);
      await shot(page, `page-${name}-${look.locale}`);

      if (status) assert.equal(response.status(), status);
      assert.match(response.headers()['content-type'], /^text\/html/);
      assert.equal(response.headers()['cache-control'], 'no-store');
      assert.match(response.headers()['content-security-policy'], /default-src 'none'/);
      assert.equal(await page.locator('html').getAttribute('lang'), look.locale.slice(0, 2));
      assert.equal(await page.locator('h1').count(), 1, 'a page has one heading');
      assert.ok(await page.title(), 'a page has a title');
      assert.equal(await page.locator('script').count(), 0, 'what a provider sent became a script');
      const tooWide = await page.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(tooWide, false, 'the page scrolls sideways');
      await page.keyboard.press('Tab');
      const focus = await page.evaluate(() => document.activeElement?.tagName);
      assert.ok(['A', 'BUTTON', 'INPUT'].includes(focus), `Tab reaches nothing to act on (${focus})`);
      assert.deepEqual(broken, []);
      assert.deepEqual(await visitor.done(), []);
    });
  }
}

test('the chooser offers each provider and escapes its name', async () => {
  const visitor = await person();
  const page = await visitor.page();
  await page.goto(`${app}/bff/login?returnUrl=/a%3Fb`);
  assert.equal(await page.getByText('Staff <b>&</b> Partners').count(), 1);
  const href = await page.getByText('Example Login').first().evaluate((e) => e.closest('a')?.getAttribute('href') ?? '');
  assert.match(href, /provider=main/);
  assert.match(href, /returnUrl=%2Fa%3Fb/);
  await visitor.done();
});
