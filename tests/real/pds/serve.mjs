// The official PLC directory (kept in memory) and the official Bluesky PDS, on loopback alone, for as long as stdin is open:
// when the test that started it dies, so does this.
//   node serve.mjs FOLDER      prints one line {"pds": "http://…", "plc": "http://…"} when both are ready
import fs from 'node:fs'
import net from 'node:net'

// Both servers listen on every interface unless told otherwise, and they cannot be told: so every listen() is.
const listen = net.Server.prototype.listen
net.Server.prototype.listen = function (...args) {
  const callback = args.find((arg) => typeof arg === 'function')
  const first = args[0]
  const port = typeof first === 'object' && first !== null ? (first.port ?? 0) : Number(first ?? 0)
  return listen.call(this, { port, host: '127.0.0.1' }, callback)
}

const freePort = () =>
  new Promise((resolve, reject) => {
    const probe = net.createServer()
    probe.once('error', reject)
    probe.listen(0, () => {
      const { port } = probe.address()
      probe.close(() => resolve(port))
    })
  })

const { PDS } = await import('@atproto/pds')
const { Secp256k1Keypair } = await import('@atproto/crypto')
const plc = await import('@did-plc/server')
const { toString } = await import('uint8arrays')

const folder = process.argv[2]
fs.mkdirSync(`${folder}/blobs`, { recursive: true })

const plcPort = await freePort()
const directory = plc.PlcServer.create({ db: plc.Database.mock(), port: plcPort })
await directory.start()

const rotationKey = toString(await (await Secp256k1Keypair.create({ exportable: true })).export(), 'hex')
const port = await freePort()
const server = await PDS.fromEnv({
  devMode: true,
  port,
  hostname: 'localhost',
  dataDirectory: folder,
  blobstoreDiskLocation: `${folder}/blobs`,
  adminPassword: 'admin-of-a-test',
  jwtSecret: 'a-secret-that-lives-for-one-test',
  serviceHandleDomains: ['.test'],
  didPlcUrl: `http://localhost:${plcPort}`,
  plcRotationKeyK256PrivateKeyHex: rotationKey,
  inviteRequired: false,
  disableSsrfProtection: true,
  bskyAppViewUrl: 'https://appview.invalid',
  bskyAppViewDid: 'did:example:invalid',
  modServiceUrl: 'https://moderator.invalid',
  modServiceDid: 'did:example:invalid',
})
await server.start()
console.log(JSON.stringify({ pds: `http://127.0.0.1:${port}`, plc: `http://127.0.0.1:${plcPort}` }))

const stop = async () => {
  await server.destroy().catch(() => {})
  await directory.destroy().catch(() => {})
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
process.stdin.on('end', stop)
process.stdin.resume()
