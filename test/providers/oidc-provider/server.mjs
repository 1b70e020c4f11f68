// A certified OpenID provider for tests, as a child process: its settings come as JSON in
// OIDC_TEST_SETTINGS, its issuer goes to standard output, and it ends when standard input does, so
// that it never outlives the test that started it.
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { createServer } from 'node:http';

import Provider from 'oidc-provider';

import { Memory } from './adapter.mjs';

const settings = { clients: [], ttl: {}, ...JSON.parse(process.env.OIDC_TEST_SETTINGS ?? '{}') };
const memory = new Memory();
const seen = { logins: 0, renewals: 0, refused: [], backchannel: [] };

const signingKey = {
  ...generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey.export({ format: 'jwk' }),
  kid: randomBytes(8).toString('hex'), alg: 'RS256', use: 'sig',
};

const configuration = {
  adapter: memory.adapter(),
  clients: settings.clients,
  jwks: { keys: [signingKey] },
  cookies: { keys: [randomBytes(32).toString('hex')] },
  claims: { openid: ['sub'], profile: ['name', 'preferred_username'], email: ['email', 'email_verified'] },
  scopes: ['openid', 'offline_access', 'profile', 'email'],
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: ['HS256', 'RS256', 'PS256', 'ES256'] },
  pkce: { required: () => true },
  // Always: one that was used before ends its whole grant, which is oidc-provider's own rule.
  rotateRefreshToken: true,
  ttl: { AccessToken: 60, IdToken: 60, RefreshToken: 3600, Grant: 3600, Interaction: 600, Session: 3600, ClientCredentials: 60, ...settings.ttl },
  features: {
    devInteractions: { enabled: true },
    rpInitiatedLogout: { enabled: true },
    backchannelLogout: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    clientCredentials: { enabled: true },
  },
  findAccount: (_ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: `${id} of Example`, preferred_username: id, email: `${id}@example.com`, email_verified: true }),
  }),
  // The clients under test are on loopback, where the provider's own fetch refuses to go.
  fetch: (url, { dispatcher, ...options }) => globalThis.fetch(url, options),
};

const server = createServer();
server.listen(0, '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, configuration);
  watch(provider);
  provider.use(testEndpoints);
  server.on('request', provider.callback());
  process.stdout.write(`${JSON.stringify({ issuer })}\n`);
});

/** Counts what a test may want to know; values of tokens stay here. */
function watch(provider) {
  provider.on('grant.success', (ctx) => {
    const { grant_type: type } = ctx.oidc.params;
    if (type === 'authorization_code') seen.logins += 1;
    if (type === 'refresh_token') seen.renewals += 1;
  });
  provider.on('grant.error', (_ctx, err) => seen.refused.push(`${err.error}: ${err.error_detail ?? err.error_description ?? ''}`));
  provider.on('backchannel.success', (_ctx, client) => seen.backchannel.push(`${client.clientId}: accepted`));
  provider.on('backchannel.error', (_ctx, err, client) => seen.backchannel.push(`${client.clientId}: ${err.message}`));
  provider.on('server_error', (_ctx, err) => process.stderr.write(`${err.stack}\n`));
}

async function testEndpoints(ctx, next) {
  if (ctx.path !== '/test/state') return next();
  ctx.body = {
    ...seen,
    refresh_tokens: memory.count('RefreshToken'),
    access_tokens: memory.count('AccessToken'),
    sessions: memory.count('Session'),
  };
  return undefined;
}

process.stdin.resume();
process.stdin.on('end', () => process.exit(0));
