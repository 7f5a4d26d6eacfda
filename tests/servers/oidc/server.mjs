// A certified OpenID provider for the tests, on loopback only. Usage: node server.mjs PORT
// Beside the standard endpoints: POST /admin/keys {"keep": bool} puts a new signing key in front, POST
// /admin/redirects {"uri": "…"} lets a client return there. Both build the provider anew behind the same port.
import * as crypto from 'node:crypto';
import { createServer } from 'node:http';

import { jwtVerify, createLocalJWKSet } from 'jose';
import Provider, { errors } from 'oidc-provider';

const port = Number(process.argv[2]);
const issuer = `http://127.0.0.1:${port}`;
const EXCHANGE = 'urn:ietf:params:oauth:grant-type:token-exchange';
const JWT = 'urn:ietf:params:oauth:token-type:jwt';
const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token';
const SECRET = 'a-secret-of-the-tests-that-is-long-enough';

// Groups and roles as a company's directory would have them.
const people = {
  alice: { email: 'alice@example.test', email_verified: true, groups: ['platform-admins'], teams: ['payments'] },
  bob: { email: 'bob@example.test', email_verified: true, groups: ['on-call'], teams: ['support'] },
  carol: { email: 'carol@example.test', email_verified: false, groups: ['cooks'], teams: [] },
  erin: { email: 'erin@example.test', email_verified: true, groups: [], teams: ['kitchen'] },
};
const agentRoles = { 'agent-a': ['planner'], 'agent-b': ['billing-clerk'] };

let redirects = ['http://127.0.0.1:1/v1/login/company/callback'];
let keys = [newKey()];
let provider = build();

function newKey() {
  const { privateKey } = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), kid: crypto.randomUUID(), alg: 'RS256', use: 'sig' };
}

function publicKeys() {
  return { keys: keys.map(({ kty, n, e, kid, alg, use }) => ({ kty, n, e, kid, alg, use })) };
}

function clients() {
  const login = { grant_types: ['authorization_code'], response_types: ['code'], redirect_uris: redirects };
  const agent = { grant_types: ['client_credentials', EXCHANGE], response_types: [], redirect_uris: [] };
  return [
    { client_id: 'clearance', client_secret: SECRET, ...login },
    { client_id: 'clearance-public', token_endpoint_auth_method: 'none', ...login },
    { client_id: 'agent-a', client_secret: SECRET, ...agent },
    { client_id: 'agent-b', client_secret: SECRET, ...agent },
  ];
}

function configuration() {
  return {
    clients: clients(),
    jwks: { keys },
    cookies: { keys: ['a key that signs the cookies of a test'] },
    claims: {
      openid: ['sub'], profile: ['preferred_username', 'groups', 'teams'], email: ['email', 'email_verified'],
    },
    findAccount: (_ctx, id) => people[id] && {
      accountId: id, claims: () => ({ sub: id, preferred_username: id, ...people[id] }),
    },
    extraTokenClaims: (_ctx, token) => claimsOf(token),
    // Who logs in consents: there is no page to click on.
    loadExistingGrant: async (ctx) => {
      const { client, session } = ctx.oidc;
      const grant = new ctx.oidc.provider.Grant({ clientId: client.clientId, accountId: session.accountId });
      grant.addOIDCScope('openid profile email');
      for (const name of ['urn:clearance', 'urn:other']) grant.addResourceScope(name, 'act');
      await grant.save();
      return grant;
    },
    features: {
      devInteractions: { enabled: true },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => undefined,
        useGrantedResource: () => false,
        getResourceServerInfo: (_ctx, name) => {
          if (!name.startsWith('urn:')) throw new errors.InvalidTarget();
          const audience = name.slice('urn:'.length);
          return { audience, scope: 'act', accessTokenFormat: 'jwt', accessTokenTTL: 3600, jwt: { sign: { alg: 'RS256' } } };
        },
      },
    },
  };
}

const actors = new WeakMap(); // the `act` claim of a token that an exchange makes

function claimsOf(token) {
  const roles = agentRoles[token.clientId];
  return { ...(roles && { roles }), ...(actors.has(token) && { act: actors.get(token) }) };
}

async function read(token, kind) {
  if (![JWT, ACCESS_TOKEN].includes(kind)) throw new errors.InvalidRequest('only JWTs are exchanged');
  try {
    return (await jwtVerify(token, createLocalJWKSet(publicKeys()), { issuer })).payload;
  } catch {
    throw new errors.InvalidGrant('the token is not one of ours, or is over');
  }
}

// RFC 8693: whoever asks becomes the current actor; who acted before stays inside, and `sub` is whom it is for.
async function exchange(ctx) {
  const { client, params } = ctx.oidc;
  const subject = await read(params.subject_token, params.subject_token_type);
  if (params.actor_token) {
    const actor = await read(params.actor_token, params.actor_token_type);
    if (actor.sub !== client.clientId) throw new errors.InvalidGrant('the actor is somebody else');
  }
  const info = await configuration().features.resourceIndicators.getResourceServerInfo(ctx, params.resource);
  const { AccessToken, ResourceServer } = ctx.oidc.provider;
  const token = new AccessToken({ client, accountId: subject.sub, scope: 'act', gty: EXCHANGE });
  token.resourceServer = new ResourceServer(params.resource, info);
  actors.set(token, { sub: client.clientId, ...(subject.act && { act: subject.act }) });
  const value = await token.save();
  ctx.body = {
    access_token: value, issued_token_type: ACCESS_TOKEN, token_type: 'Bearer', expires_in: token.expiration,
  };
}

function build() {
  const built = new Provider(issuer, configuration());
  const parameters = [
    'subject_token', 'subject_token_type', 'actor_token', 'actor_token_type', 'resource', 'scope', 'audience',
  ];
  built.registerGrantType(EXCHANGE, exchange, parameters);
  return built;
}

async function administer(request, response) {
  let text = '';
  for await (const part of request) text += part;
  const told = JSON.parse(text);
  if (request.url === '/admin/keys') keys = told.keep ? [newKey(), ...keys] : [newKey()];
  else if (request.url === '/admin/forget') keys = keys.slice(0, 1);
  else redirects = [told.uri, ...redirects];
  provider = build();
  response.setHeader('content-type', 'application/json');
  response.end(JSON.stringify({ kids: keys.map((key) => key.kid) }));
}

createServer((request, response) => {
  if (request.method === 'POST' && request.url.startsWith('/admin/')) administer(request, response);
  else provider.callback()(request, response);
}).listen(port, '127.0.0.1');
