// Plays the user's browser: opens an address, fills in what is asked (alice, who agrees to everything), and goes where it
// is sent. Prints the last address: the one outside of the server that it was sent to, or the one that it stays at.
//   node browser.mjs ADDRESS [go]     go: the last address is opened as well, where it is a web address
const [, , start, go] = process.argv
const origin = new URL(start).origin
const jar = new Map()
const unescape = (text) => text.replaceAll('&quot;', '"').replaceAll('&#39;', "'").replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')

const open = async (address, form) => {
  const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
  const response = await fetch(address, {
    redirect: 'manual',
    method: form ? 'POST' : 'GET',
    headers: { cookie, ...(form && { 'content-type': 'application/x-www-form-urlencoded' }) },
    body: form,
  })
  for (const line of response.headers.getSetCookie()) {
    const [pair] = line.split(';')
    const at = pair.indexOf('=')
    const [name, value] = [pair.slice(0, at), pair.slice(at + 1)]
    if (value === '') jar.delete(name)
    else jar.set(name, value)
  }
  return response
}

let [address, form] = [start, undefined]
for (let step = 0; step < 20; step += 1) {
  const response = await open(address, form)
  const text = await response.text()
  form = undefined
  const location = response.headers.get('location')
  if (location) {
    address = new URL(location, address).href
    if (new URL(address).origin === origin) continue
    if (go === 'go' && address.startsWith('http')) {
      const last = await fetch(address)
      console.error(last.status, (await last.text()).replace(/<[^>]*>/g, ' '))
    }
    console.log(address)
    process.exit(0)
  }
  const found = /<form[^>]*action="([^"]+)"[^>]*>(.*?)<\/form>/s.exec(text)
  if (!found) {
    console.log(address)
    console.error(response.status, text.replace(/<style.*?<\/style>/gs, '').replace(/<[^>]*>/g, ' ').replace(/\s+/g, ' '))
    process.exit(response.ok ? 0 : 1)
  }
  const fields = new URLSearchParams()
  for (const [input] of found[2].matchAll(/<input[^>]*>/g)) {
    const name = /name="([^"]+)"/.exec(input)
    const value = /value="([^"]*)"/.exec(input)
    if (name) fields.set(name[1], unescape(value ? value[1] : ''))
  }
  if (fields.has('login')) fields.set('login', 'alice')
  if (fields.has('password')) fields.set('password', 'of a test')
  address = new URL(unescape(found[1]), address).href
  form = fields.toString()
}
console.error('it does not end')
process.exit(1)
