// A search that finds nothing proves nothing unless it finds what is there.
import assert from 'node:assert/strict';
import { test } from 'node:test';

import { tokenIn } from './leaks.mjs';

const jwt = 'eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJl';

test('tokens are found wherever they stand', () => {
  assert.equal(tokenIn(`<a href="/x?t=${jwt}">`), 'a JWT');
  assert.equal(tokenIn(`{"note":"Bearer ${jwt}"}`), 'a JWT');
  assert.equal(tokenIn('theme=dark; rt=devprovider-refresh-ABCDEF'), 'a refresh token');
  assert.equal(tokenIn('{"access_token": "opaque"}'), 'a token response');
});

test('what only looks a little like a token is none', () => {
  for (const text of ['{"access_token_expires_at":"2026-01-01T00:00:00Z"}', 'Bearer ***', 'eyJ', 'GET /bff/user']) {
    assert.equal(tokenIn(text), undefined, text);
  }
});
