// What could be read in two ways, or not at all, reaches nobody.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Exchange, GUARD, call, message } from '../harness/exchange.mjs'

const GOOD = '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"crm.search","arguments":{"query":"a"}}}'
const utf16 = (text) => new Uint8Array(Buffer.from(`\ufeff${text}`, 'utf16le'))
const latin1 = (text) => new Uint8Array(Buffer.from(text, 'latin1'))

async function refused(exchange, status, config) {
  const reply = await exchange.run(config)
  assert.equal(exchange.reached.length, 0, `reached the upstream: ${exchange.reached[0]?.body}`)
  if (status) assert.equal(reply.status, status, reply.body)
  else assert.ok(reply.status >= 400 || reply.body.includes('"error"'), `${reply.status} ${reply.body}`)
  return reply
}

test('the message used for comparison is allowed', async () => {
  const exchange = message(GOOD)
  await exchange.run()
  assert.equal(exchange.reached.length, 1)
})

test('bodies', async (t) => {
  const swap = (from, to) => GOOD.replace(from, to)
  for (const [name, body] of [
    ['empty', ''],
    ['not JSON', 'name=crm.search'],
    ['cut off', GOOD.slice(0, -1)],
    ['a batch', `[${GOOD}]`],
    ['two documents', GOOD + GOOD],
    ['something behind it', `${GOOD}\0`],
    ['a comment', swap('{', '{/**/')],
    ['duplicate params.name', swap('"name":', '"name":"admin.drop_database","name":')],
    ['duplicate name, escaped', swap('"name":', '"n\\u0061me":"admin.drop_database","name":')],
    ['duplicate arguments', swap('"arguments":', '"arguments":{"query":"b"},"arguments":')],
    ['duplicate argument', swap('"query":"a"', '"query":"a","query":"b"')],
    ['duplicate argument deep down', swap('"query":"a"', '"query":"a","o":{"x":1,"x":2}')],
    ['duplicate params', swap('"params":', '"params":{},"params":')],
    ['duplicate method', swap('"method":', '"method":"ping","method":')],
    ['duplicate id', swap('"id":1', '"id":1,"id":2')],
    ['a member in capitals', swap('"method"', '"Method"')],
    ['a member too many', swap('"id":1', '"id":1,"extra":1')],
    ['a parameter too many', swap('"name":', '"task":{},"name":')],
    ['name is no string', swap('"crm.search"', '["crm.search"]')],
    ['arguments are no object', swap('{"query":"a"}', '["a"]')],
    ['id is an object', swap('"id":1', '"id":{}')],
    ['id is a fraction', swap('"id":1', '"id":1.5')],
    ['a byte order mark', `\ufeff${GOOD}`],
    ['UTF-16', utf16(GOOD)],
    ['Latin-1', latin1(swap('"a"', '"é"'))],
    ['overlong UTF-8', latin1(swap('"a"', '"\xc0\xaf"'))],
    ['a lone surrogate', swap('"a"', '"\\ud800"')],
    ['a raw line break in a string', swap('"a"', '"a\nb"')],
    ['NaN', swap('"a"', 'NaN')],
    ['a leading zero', swap('"a"', '01')],
    ['nested too deep', swap('"a"', '['.repeat(5000) + ']'.repeat(5000))],
    ['resources', swap('tools/call', 'resources/read')],
    ['a method in capitals', swap('tools/call', 'Tools/Call')],
  ])
    await t.test(name, async () => void (await refused(message(body))))
})

test('heads', async (t) => {
  const json = 'application/json'
  for (const [name, change, status] of [
    ['no content type', { headers: { 'content-type': [] } }],
    ['another content type', { headers: { 'content-type': 'text/plain' } }, 415],
    ['another charset', { headers: { 'content-type': `${json}; charset=utf-16` } }, 415],
    ['two content types', { headers: { 'content-type': [json, 'text/plain'] } }, 400],
    ['a compressed body', { headers: { 'content-encoding': 'gzip' } }, 415],
    ['an upgrade', { headers: { upgrade: 'websocket', connection: 'upgrade' } }, 400],
    ['another method in a header', { headers: { 'x-http-method-override': 'GET' } }, 400],
    ['another target in a header', { headers: { 'x-original-url': '/health' } }, 400],
    ['another protocol version', { headers: { 'mcp-protocol-version': '1999-01-01' } }, 400],
    ['two sessions', { headers: { 'mcp-session-id': ['a', 'b'] } }, 400],
    ['a foreign origin', { headers: { origin: 'https://evil.example' } }, 403],
    ['a stream by GET', { method: 'GET' }, 405],
    ['a method of its own', { method: 'TRACE' }, 405],
    ['HTTP/2, whose answers Kong cannot buffer', { httpVersion: 2 }, 505],
    ['nobody authenticated', { consumer: undefined }, 401],
    ['a dot segment', { path: '/x/../mcp' }, 400],
    ['an escaped path', { path: '/%6dcp' }, 400],
    ['an empty segment', { path: '//mcp' }, 400],
    ['a path in capitals', { path: '/MCP' }, 400],
    ['more headers than Kong shows', { headers: Object.fromEntries(Array.from({ length: 1200 }, (_, n) => [`x-${n}`, 'y'])) }, 431],
    ['a name of another spelling', { headers: { 'mcp-name': 'admin.drop_database' } }],
  ])
    await t.test(name, async () => void (await refused(message(GOOD, change), status)))
})

test('too large', async (t) => {
  const guard = { ...GUARD, request_limit: 200, response_limit: 100 }
  const config = { guard: JSON.stringify(guard) }
  await t.test('a request', async () => void (await refused(message(GOOD.replace('"a"', `"${'a'.repeat(200)}"`)), 413, config)))
  await t.test('a request that says so', async () => {
    await refused(message(GOOD, { headers: { 'content-length': '100000' } }), 413, config)
  })
  await t.test('an answer', async () => {
    const body = `{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"${'a'.repeat(100)}"}]}}`
    const answer = () => ({ status: 200, headers: { 'content-type': 'application/json' }, body })
    const reply = await message(GOOD, { answer }).run(config)
    assert.equal(reply.status, 502)
    assert.ok(!reply.body.includes('aaaa'))
  })
})

test('answers that cannot be read are not passed on', async (t) => {
  const json = { 'content-type': 'application/json' }
  for (const [name, answer] of [
    ['HTML', { status: 200, headers: { 'content-type': 'text/html' }, body: '<p>secret</p>' }],
    ['compressed', { status: 200, headers: { ...json, 'content-encoding': 'gzip' }, body: 'secret' }],
    ['not JSON', { status: 200, headers: json, body: 'secret' }],
    ['of another request', { status: 200, headers: json, body: '{"jsonrpc":"2.0","id":2,"result":{"secret":1}}' }],
    ['duplicate keys', { status: 200, headers: json, body: '{"jsonrpc":"2.0","id":1,"result":{"secret":1,"secret":2}}' }],
  ])
    await t.test(name, async () => {
      const reply = await message(GOOD, { answer: () => answer }).run()
      assert.ok(!reply.body.includes('secret'), reply.body)
    })
})

test('failures refuse', async (t) => {
  const kong = (change) => Object.assign(message(GOOD), change)
  await t.test('a bad configuration', async () => {
    const reply = await refused(message(GOOD), 503, { guard: '{"mcp": [{"pth": "/mcp"}]}' })
    assert.match(reply.body, /bad-configuration/)
  })
  await t.test('a configuration that is no JSON', async () => void (await refused(message(GOOD), 503, { guard: 'x' })))
  await t.test('an upstream that Kong does not have', async () => void (await refused(kong({ upstreams: [] }), 503)))
  await t.test('a body that Kong cannot give', async () => {
    const exchange = message(GOOD)
    exchange.sent.body = undefined
    await refused(exchange, 503)
  })
  await t.test('an answer to nothing', async () => {
    const exchange = new Exchange({ method: 'GET', path: '/health' })
    exchange.shared.set = () => {}
    const reply = await exchange.run()
    assert.equal(reply.status, 502)
  })
  await t.test('an enforcement component that traps', async () => {
    const { Components } = await import('../lib/components.mjs')
    const components = await Components.shared()
    const trap = () => {
      throw new WebAssembly.RuntimeError('unreachable')
    }
    components.guarding = { Guard: { open: () => ({ admit: trap }) } }
    await refused(message(GOOD), 503)
    const next = message(GOOD)
    await next.run()
    assert.equal(next.reached.length, 1)
  })
  await t.test('an answer whose request was before the trap', async () => {
    const { Components } = await import('../lib/components.mjs')
    const components = await Components.shared()
    const answer = () => {
      components.guarding = undefined
      return { status: 200, headers: {}, body: 'secret' }
    }
    const reply = await message(GOOD, { answer }).run()
    assert.equal(reply.status, 502)
    assert.ok(!reply.body.includes('secret'))
  })
  await t.test('a policy component that traps', async () => {
    const { Components } = await import('../lib/components.mjs')
    const components = await Components.shared()
    const make = components.makePolicy
    components.decisions = undefined
    components.makePolicy = () => {
      throw new WebAssembly.RuntimeError('unreachable')
    }
    const exchange = call('crm.search', '{"query":"a"}')
    const reply = await exchange.run()
    components.makePolicy = make
    assert.equal(exchange.reached.length, 0)
    assert.match(reply.body, /engine-trap/)
    const next = message(GOOD)
    await next.run()
    assert.equal(next.reached.length, 1)
  })
})
