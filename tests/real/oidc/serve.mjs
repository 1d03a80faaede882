// A real authorization server (oidc-provider), and before it just enough of Mastodon's API to publish with the tokens that
// it hands out: on one loopback port, for as long as stdin is open.
//   node serve.mjs MODULES SECONDS     MODULES is where oidc-provider is installed, SECONDS the life of an access token;
//                                      prints one line {"url": "http://…"} when ready
// Addresses in its description are those that the request came to, so that a proxy may stand before it.
import http from 'node:http'
import path from 'node:path'
import { pathToFileURL } from 'node:url'

const [, , modules, seconds] = process.argv
const life = Number(seconds)
const { Provider } = await import(pathToFileURL(path.join(modules, 'oidc-provider/lib/index.js')))
const server = http.createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'smm-public',
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      redirect_uris: ['http://127.0.0.1/', 'urn:ietf:wg:oauth:2.0:oob'],
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
    },
  ],
  features: {
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    registration: { enabled: true },
    revocation: { enabled: true },
  },
  // Everybody has to prove that a code is theirs.
  pkce: { required: () => true },
  scopes: ['read', 'write:statuses', 'write:media'],
  issueRefreshToken: async (_context, client) => client.grantTypeAllowed('refresh_token'),
  // A used refresh token is never good again, and one that comes again ends all that came of the sign-in.
  rotateRefreshToken: true,
  ttl: {
    AccessToken: life,
    RefreshToken: 3600,
    AuthorizationCode: 60,
    DeviceCode: 120,
    Grant: 3600,
    Session: 3600,
    Interaction: 600,
    IdToken: 60,
  },
  findAccount: async (_context, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  cookies: { keys: ['of a test'] },
})
const authorization = provider.callback()

const statuses = []
const send = (response, status, body) => {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
const bodyOf = async (request) => {
  let text = ''
  for await (const chunk of request) text += chunk
  return text
}
const tokenOf = async (request) => {
  const [, value] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? []
  const token = value && (await provider.AccessToken.find(value))
  return token && !token.isExpired && token.accountId ? token : undefined
}

/// Mastodon's form, turned into the registration of RFC 7591.
const register = async (request, response) => {
  const form = new URLSearchParams(await bodyOf(request))
  const answer = await fetch(`${issuer}/reg`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: form.get('client_name'),
      redirect_uris: form.get('redirect_uris').split('\n'),
      application_type: 'native',
      token_endpoint_auth_method: 'client_secret_basic',
      grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
      response_types: ['code'],
      scope: form.get('scopes'),
    }),
  })
  const client = await answer.json()
  if (!answer.ok) return send(response, 422, client)
  send(response, 200, { id: '1', name: form.get('client_name'), client_id: client.client_id, client_secret: client.client_secret })
}

const describe = (request, response) => {
  const here = `http://${request.headers.host}`
  send(response, 200, {
    issuer,
    authorization_endpoint: `${here}/auth`,
    token_endpoint: `${here}/token`,
    revocation_endpoint: `${here}/token/revocation`,
    device_authorization_endpoint: `${here}/device/auth`,
    scopes_supported: ['read', 'write:statuses', 'write:media'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
    token_endpoint_auth_methods_supported: ['client_secret_basic', 'none'],
    authorization_response_iss_parameter_supported: true,
  })
}

const api = async (request, response, path) => {
  if (path === '/api/v2/instance') return send(response, 200, { version: '4.6.6', api_versions: { mastodon: 9 } })
  const token = await tokenOf(request)
  if (!token) return send(response, 401, { error: 'The access token expired or was revoked' })
  const scopes = [...token.scopes]
  // What a test does behind the client's back: this token alone is not good any more.
  if (path === '/api/of-a-test/end') return send(response, 200, { ended: Boolean(await token.destroy()) })
  if (path === '/api/v1/apps/verify_credentials') return send(response, 200, { name: 'smm', scopes })
  const account = { id: '7', username: token.accountId, acct: token.accountId }
  if (path === '/api/v1/accounts/verify_credentials') return send(response, 200, account)
  if (path === '/api/v1/accounts/7/statuses') return send(response, 200, statuses.toReversed())
  if (path === '/api/v1/statuses' && request.method === 'POST') {
    if (!scopes.includes('write:statuses')) return send(response, 403, { error: 'This action is outside the authorized scopes' })
    const key = request.headers['idempotency-key']
    let status = statuses.find((known) => known.key === key)
    if (!status) {
      const { status: text } = JSON.parse(await bodyOf(request))
      const id = String(statuses.length + 1)
      status = { id, key, url: `${issuer}/@alice/${id}`, created_at: new Date().toISOString(), content: `<p>${text}</p>`, account }
      statuses.push(status)
    }
    return send(response, 200, status)
  }
  send(response, 404, { error: 'Record not found' })
}

server.on('request', (request, response) => {
  const { pathname } = new URL(request.url, issuer)
  const work = async () => {
    if (pathname === '/.well-known/oauth-authorization-server') return describe(request, response)
    if (pathname === '/api/v1/apps' && request.method === 'POST') return register(request, response)
    if (pathname.startsWith('/api/')) return api(request, response, pathname)
    return authorization(request, response)
  }
  work().catch((error) => send(response, 500, { error: String(error) }))
})

process.stdin.on('end', () => process.exit(0)).resume()
console.log(JSON.stringify({ url: issuer }))
