// The demo in Firefox, over WebDriver BiDi: what its own rules about cookies, frames and storage make of it.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

import puppeteer from 'puppeteer-core';

import { until } from './browser.mjs';
import { startDemo } from './cloakroom.mjs';

const out = fileURLToPath(new URL('../out/', import.meta.url));
const home = mkdtempSync(join(tmpdir(), 'cr-firefox-'));
const running = [];
let demo;

before(async () => {
  mkdirSync(out, { recursive: true });
  demo = await startDemo({ accessTokenLifetime: '4s' });
});
after(async () => {
  await Promise.all(running.map((browser) => browser.close()));
  rmSync(home, { recursive: true, force: true, maxRetries: 10 });
});

/** A Firefox with a fresh profile and these preferences. */
async function firefox(preferences = {}) {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: process.env.FIREFOX || '/usr/bin/firefox-esr',
    headless: true,
    protocolTimeout: 120_000,
    timeout: 120_000,
    defaultViewport: { width: 1280, height: 860 },
    env: { ...process.env, HOME: home, MOZ_DISABLE_CONTENT_SANDBOX: '1' },
    extraPrefsFirefox: { 'app.update.enabled': false, 'network.captive-portal-service.enabled': false, ...preferences },
  });
  running.push(browser);
  return browser;
}

async function newPage(browser) {
  const page = await browser.newPage();
  page.setDefaultTimeout(60_000);
  return page;
}

const named = (name) => `[data-testid="${name}"], #${name}`;
const text = (page, name) => page.$eval(named(name), (element) => element.innerText).catch(() => '');

async function logIn(page) {
  await page.goto(demo.app);
  await (await page.waitForSelector(named('login'))).click();
  await (await page.waitForSelector('[data-testid="login-alice"]')).click();
  await until(async () => /alice/i.test(await text(page, 'user-name')), 'the app to show the user', 60_000);
}

test('Firefox: log in, open a second tab, call the API, log out in one and see it in the other', async () => {
  const browser = await firefox();
  const one = await newPage(browser);
  await logIn(one);
  await (await one.waitForSelector(named('call-api'))).click();
  await until(async () => /Bearer \*\*\*/.test(await text(one, 'api-result')), 'the API to answer', 60_000);
  assert.equal(await one.evaluate(() => document.cookie), '', 'scripts can read a cookie');

  const two = await newPage(browser);
  await two.goto(demo.app);
  await until(async () => /alice/i.test(await text(two, 'user-name')), 'the second tab to show the user', 60_000);
  await one.bringToFront();
  await (await one.waitForSelector(named('logout'))).click();
  await two.waitForSelector(named('ended-banner'), { visible: true });
  await one.waitForSelector(named('login'), { visible: true });
  await one.screenshot({ path: `${out}firefox-logged-out.png` });
  await until(async () => (await demo.status()).live_refresh_tokens === 0, 'the refresh token to be revoked', 60_000);
});

test('Firefox: with all cookies blocked the app comes up, and a login ends on the page that says why', async () => {
  const page = await newPage(await firefox({ 'network.cookie.cookieBehavior': 2 }));
  const faults = [];
  page.on('pageerror', (error) => { if (/SecurityError|insecure|TypeError|ReferenceError/.test(String(error))) faults.push(String(error)); });
  await page.goto(demo.app);
  await (await page.waitForSelector(named('login'), { visible: true })).click();
  await (await page.waitForSelector('[data-testid="login-alice"]')).click();
  await until(async () => /cookie/i.test(await page.$eval('main', (element) => element.innerText).catch(() => '')), 'the page about cookies', 60_000);
  await page.screenshot({ path: `${out}firefox-cookies-blocked.png` });
  assert.deepEqual(faults, [], 'nothing broke in the page');
});

// Neither the provider's cookie nor the attempt's gets into a frame that another site is in, or has led here.
for (const [name, preferences] of [
  ['as it comes', {}],
  ['with strict tracking prevention', { 'privacy.trackingprotection.enabled': true, 'network.cookie.cookieBehavior.optInPartitioning': true }],
]) {
  test(`Firefox ${name}: a silent login is answered at once, and says what is true`, async (t) => {
    const page = await newPage(await firefox(preferences));
    await logIn(page);
    const left = (await demo.status()).live_refresh_tokens; // of the session that the browser loses now, and the provider does not
    for (const cookie of await page.browser().cookies()) {
      if (cookie.domain === 'localhost') await page.browser().deleteCookie(cookie);
    }
    const ask = async () => (await fetch('/bff/session', { headers: { 'X-CSRF': '1' } })).json();
    assert.equal((await page.evaluate(ask)).authenticated, false);
    const [said, took] = await page.evaluate(async () => {
      const { createClient } = await import('/client.js');
      const began = Date.now();
      return [await createClient({ listen: false }).silentLogin(), Date.now() - began];
    });
    t.diagnostic(`isLoggedIn ${said}, after ${took} ms`);
    assert.equal(said, (await page.evaluate(ask)).authenticated, 'what the frame said is not what the browser has');
    assert.ok(said || took < 9_000, `the answer took ${took} ms: nobody gave one`);
    await until(async () => (await demo.status()).live_refresh_tokens === left + (said ? 1 : 0), 'no session that nobody can use', 60_000);
  });
}
