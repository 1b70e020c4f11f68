// TestDemo: what a person sees who runs `make demo`, from end to end, in a real browser. The app is on
// localhost and the provider on 127.0.0.1, so they are different sites and SameSite=Strict counts.
import assert from 'node:assert/strict';
import { before, test } from 'node:test';

import { el, person, shot, until } from './browser.mjs';
import { startDemo } from './cloakroom.mjs';

let demo;
before(async () => { demo = await startDemo({ accessTokenLifetime: '4s' }); });

async function logIn(page, user = 'alice') {
  await page.goto(demo.app);
  await el(page, 'login').click();
  await page.getByTestId(`login-${user}`).click();
  await page.waitForURL((url) => url.origin === demo.app && !url.pathname.startsWith('/bff'));
  await el(page, 'user-name').waitFor();
}

const number = async (page, name) => Number(/\d+/.exec(await el(page, name).innerText())?.[0] ?? NaN);
const sessionCookie = async (context) => (await context.cookies(demo.app)).find((c) => c.name === 'cloakroom');

test('TestDemo: log in, call the API, be renewed unseen, log out, and find the refresh token dead', async () => {
  const alice = await person();
  const page = await alice.page();
  const faults = [];
  page.on('pageerror', (err) => faults.push(String(err)));
  page.on('console', (m) => { if (/Content.Security.Policy/i.test(m.text())) faults.push(m.text()); });

  await page.goto(demo.app);
  await el(page, 'login').waitFor();
  await shot(page, 'demo-1-anonymous');
  await el(page, 'login').click();
  await page.getByText('never use it in production').waitFor();
  await shot(page, 'demo-2-provider');
  await page.getByTestId('login-alice').click();

  await el(page, 'user-name').filter({ hasText: /alice/i }).waitFor();
  assert.equal(new URL(page.url()).origin, demo.app);
  assert.equal(await page.locator('body').innerText().then((t) => /eyJ/.test(t)), false, 'the page shows a token');

  await el(page, 'call-api').click();
  await el(page, 'api-result').filter({ hasText: 'Bearer ***' }).waitFor();
  const before1 = await el(page, 'session-left').innerText();
  await until(async () => (await el(page, 'session-left').innerText()) !== before1, 'the session countdown to move');
  const token1 = await el(page, 'token-left').innerText();
  await until(async () => (await el(page, 'token-left').innerText()) !== token1, 'the token countdown to move');

  await el(page, 'call-loop').click();
  await until(async () => (await number(page, 'renewals')) >= 1, 'a renewal to be shown', 30_000);
  await el(page, 'burst').click();
  await until(async () => (await demo.status()).renewals >= 2, 'a second renewal at the provider', 30_000);
  await shot(page, 'demo-3-logged-in');

  const readable = await alice.leaks.inPage(page);
  assert.equal(readable.cookie, '', 'scripts can read a cookie');
  const cookie = await sessionCookie(alice.context);
  assert.ok(cookie.httpOnly, 'the session cookie is HttpOnly');
  assert.equal(cookie.sameSite, 'Strict');

  await el(page, 'logout').click();
  await el(page, 'login').waitFor();
  await shot(page, 'demo-4-logged-out');
  await until(async () => (await demo.status()).live_refresh_tokens === 0, 'the refresh token to be revoked');
  const status = await demo.status();
  assert.equal(status.reuses, 0, 'no spent refresh token was ever used again');
  assert.ok(status.revocations >= 1, 'the provider was asked to revoke');
  assert.equal(await sessionCookie(alice.context), undefined, 'the session cookie is gone');

  assert.deepEqual(faults, [], 'nothing broke in the page');
  assert.deepEqual(await alice.done(), [], 'no token reached the browser');
  assert.ok(alice.leaks.seen.bodies > 10 && alice.leaks.seen.headers > 10, `something was searched: ${JSON.stringify(alice.leaks.seen)}`);
  assert.doesNotMatch(demo.output(), /eyJ[\w-]{6,}\.|devprovider-refresh-/, 'no token in the log');
});

test('streams reach the page, and no token with them', async () => {
  const alice = await person();
  const page = await alice.page();
  await logIn(page);
  for (const name of ['sse-feed', 'ws-echo']) {
    await el(page, name).scrollIntoViewIfNeeded();
    const button = page.locator(`[data-testid="${name}"] button, #${name} button, button#${name}, button[data-testid="${name}"], [data-testid="${name}-start"], #${name}-start`).first();
    if (await button.count()) await button.click();
  }
  await until(() => alice.leaks.seen.streamed > 0, 'something to be streamed');
  await shot(page, 'demo-5-streams');
  assert.deepEqual(await alice.done(), []);
});

test('two tabs that log in at once both arrive', async () => {
  const alice = await person();
  const [one, two] = [await alice.page(), await alice.page()];
  for (const tab of [one, two]) {
    await tab.goto(demo.app);
    await el(tab, 'login').click();
    await tab.getByTestId('login-alice').waitFor();
  }
  await two.getByTestId('login-alice').click();
  await el(two, 'user-name').filter({ hasText: /alice/i }).waitFor();
  await one.getByTestId('login-alice').click();
  await el(one, 'user-name').filter({ hasText: /alice/i }).waitFor();
  await two.reload();
  await el(two, 'user-name').filter({ hasText: /alice/i }).waitFor();
  assert.equal((await alice.context.cookies(demo.app)).filter((c) => c.name.includes('attempt')).length, 0, 'attempt cookies are left over');
  assert.deepEqual(await alice.done(), []);
});

test('a logout in one tab is seen in the other', async () => {
  const bob = await person();
  const [one, two] = [await bob.page(), await bob.page()];
  await logIn(one, 'bob');
  await two.goto(demo.app);
  await el(two, 'user-name').filter({ hasText: /bob/i }).waitFor();
  await el(one, 'logout').click();
  await el(two, 'ended-banner').waitFor({ state: 'visible' });
  await shot(two, 'demo-6-ended-elsewhere');
  assert.deepEqual(await bob.done(), []);
});

test('a logout by fetch goes on to the provider by navigation alone, and back', async () => {
  const alice = await person();
  const page = await alice.page();
  await logIn(page);
  let hinted = 0;
  page.on('request', (r) => { if (r.url().startsWith(demo.provider) && r.url().includes('id_token_hint=')) hinted += 1; });
  const [redirect, fetched] = await page.evaluate(async () => {
    const answer = await fetch('/bff/logout?returnUrl=/?bye', { method: 'POST', headers: { 'X-CSRF': '1' } });
    const { redirect: to } = await answer.json();
    const seen = await fetch(to, { redirect: 'manual' });
    const frame = document.createElement('iframe');
    const loaded = new Promise((done) => { frame.onload = done; });
    frame.src = to;
    document.body.append(frame);
    await loaded;
    frame.remove();
    return [to, seen.status];
  });
  assert.equal(new URL(redirect).origin, demo.app);
  assert.equal(fetched, 400, 'a script follows the address');
  assert.equal(hinted, 0, 'a frame goes on to the provider');
  await page.goto(redirect);
  await page.waitForURL(`${demo.app}/?bye`);
  assert.equal(hinted, 1, 'the provider is shown the ID token');
  await page.goto(redirect);
  assert.match(await page.locator('h1').innerText(), /logged out/i);
  await page.locator('a.button').click();
  await page.waitForURL(`${demo.app}/?bye`);
  assert.deepEqual(await alice.done(), []);
});

test('a logout at the provider ends the session here', async () => {
  const bob = await person();
  const [app, provider] = [await bob.page(), await bob.page()];
  await logIn(app, 'bob');
  await provider.goto(demo.provider);
  await shot(provider, 'provider-home');
  await provider.getByTestId('provider-logout').click();
  assert.match(await provider.getByTestId('delivery').first().innerText(), /200/);
  await shot(provider, 'provider-logged-out');
  await el(app, 'ended-banner').waitFor({ state: 'visible' });
  assert.deepEqual(await bob.done(), []);
});

test('SameSite=Strict holds: what another site causes is anonymous', async () => {
  const alice = await person();
  const page = await alice.page();
  await logIn(page);
  const cookie = await sessionCookie(alice.context);

  await page.goto(demo.provider); // another site: 127.0.0.1
  const arriving = page.waitForRequest((r) => r.url() === `${demo.app}/` && r.isNavigationRequest());
  await page.evaluate((url) => { location.href = url; }, `${demo.app}/`);
  const sent = (await (await arriving).allHeaders()).cookie ?? '';
  assert.ok(!sent.includes(cookie.value), 'a navigation from another site carried the session cookie');
  await el(page, 'user-name').waitFor(); // the app's own calls do carry it: nobody is logged out by a link

  await page.goto(demo.provider);
  const answer = await page.evaluate(async (url) => {
    const r = await fetch(url, { credentials: 'include', mode: 'no-cors' }).catch((err) => ({ type: String(err) }));
    return r.type;
  }, `${demo.app}/api/whoami`);
  assert.notEqual(answer, 'basic', 'another site read an answer of the API');
  assert.deepEqual(await alice.done(), []);
});

test('the demo stops cleanly', async () => {
  assert.equal(await demo.stop(), 0, demo.output());
});
