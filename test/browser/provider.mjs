// An OpenID provider that knows one person and asks for a click at every login: what no redirect does by itself.
import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { createServer } from 'node:http';

import { atEnd } from './cloakroom.mjs';

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** Starts one on 127.0.0.1, and stops it after the file's tests. `logins` counts the codes it has given. */
export async function clickProvider() {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const provider = { issuer: '', logins: 0 };
  const asked = new Map(); // authorization request by code

  const idToken = (request) => {
    const now = Math.floor(Date.now() / 1000);
    const signed = `${base64url({ alg: 'RS256', kid: 'k' })}.${base64url({
      iss: provider.issuer, sub: 'alice', aud: request.get('client_id'), iat: now, exp: now + 600, nonce: request.get('nonce'),
    })}`;
    return `${signed}.${sign('sha256', Buffer.from(signed), privateKey).toString('base64url')}`;
  };

  const answers = {
    '/.well-known/openid-configuration': () => ({
      issuer: provider.issuer, authorization_endpoint: `${provider.issuer}/authorize`, token_endpoint: `${provider.issuer}/token`,
      jwks_uri: `${provider.issuer}/keys`, response_types_supported: ['code'], subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['RS256'], code_challenge_methods_supported: ['S256'],
    }),
    '/keys': () => ({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k', alg: 'RS256', use: 'sig' }] }),
    '/token': (form) => {
      const request = asked.get(form.get('code'));
      const challenge = createHash('sha256').update(form.get('code_verifier')).digest('base64url');
      if (challenge !== request.get('code_challenge')) return { error: 'invalid_grant' };
      return { access_token: randomBytes(16).toString('hex'), token_type: 'Bearer', expires_in: 600, id_token: idToken(request) };
    },
  };

  const server = createServer(async (req, res) => {
    const { pathname, search, searchParams } = new URL(req.url, provider.issuer);
    if (pathname === '/authorize') {
      res.setHeader('Content-Type', 'text/html');
      res.end(`<!doctype html><title>provider</title><a id="log-in" href="/clicked${search.replaceAll('&', '&amp;')}">Log in as Alice</a>`);
      return;
    }
    if (pathname === '/clicked') {
      provider.logins += 1;
      const code = randomBytes(16).toString('hex');
      asked.set(code, searchParams);
      res.writeHead(302, { Location: `${searchParams.get('redirect_uri')}?${new URLSearchParams({ code, state: searchParams.get('state') })}` }).end();
      return;
    }
    let body = '';
    for await (const chunk of req) body += chunk;
    const answer = answers[pathname]?.(new URLSearchParams(body));
    res.writeHead(answer ? 200 : 404, { 'Content-Type': 'application/json' }).end(JSON.stringify(answer ?? {}));
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  atEnd(() => { server.closeAllConnections(); server.close(); });
  provider.issuer = `http://127.0.0.1:${server.address().port}`;
  return provider;
}
