// The plugin in Kong's plugin server itself, over its socket.

import assert from 'node:assert/strict'
import { after, before, test } from 'node:test'
import { GUARD, call, message, result } from '../harness/exchange.mjs'
import { PluginServer, Remote } from '../harness/remote.mjs'

let server
before(async () => void (server = await PluginServer.start()))
after(() => server.stop())

test('what it tells Kong about itself', async () => {
  const info = await server.rpc('GetPluginInfo', 'placet')
  assert.deepEqual(info.Phases.toSorted(), ['access', 'response'])
  assert.equal(info.Priority, 760)
  assert.deepEqual(info.Schema.fields[0].config.fields.map((field) => Object.keys(field)[0]), ['guard', 'upstream'])
})

test('calls', async () => {
  const instance = await server.instance({ guard: JSON.stringify(GUARD), upstream: 'placet-allowed' })
  const small = '{"amount": 50, "currency": "USD", "customer": "c-1", "reason": "late"}'
  for (const [name, exchange, reached, has] of [
    ['allowed', call('payments.refund', small, { answer: result({ done: true }) }), 1, '"done":true'],
    ['denied', call('admin.drop_database', '{"name": "crm"}'), 0, 'org/no-administration'],
    ['malformed', message('{"jsonrpc":"2.0","id":1,"id":2}'), 0, 'occurs twice'],
    ['larger than what a socket takes at once', call('crm.search', `{"query": "${'ä'.repeat(300_000)}"}`), 1, ''],
    ['not UTF-8', message(new Uint8Array([0x7b, 0xff, 0x7d])), 0, '"error"'],
  ]) {
    const reply = await Remote.of(exchange).through(server, instance)
    const body = typeof reply.body === 'string' ? reply.body : Buffer.from(reply.body).toString()
    assert.equal(exchange.reached.length, reached, `${name}: ${body}`)
    assert.ok(body.includes(has), `${name}: ${body}`)
  }
})

test('an instance that cannot be configured refuses', async () => {
  const instance = await server.instance({ guard: '{}', upstream: 'placet-allowed' })
  const exchange = message('{}')
  const reply = await Remote.of(exchange).through(server, instance)
  assert.equal(reply.status, 503)
  assert.equal(exchange.reached.length, 0)
})

test('an answer that comes after the plugin server has dropped the instance', async () => {
  const config = { guard: JSON.stringify(GUARD), upstream: 'placet-allowed' }
  const instance = await server.instance(config)
  const exchange = Remote.of(call('crm.search', '{"query": "slow"}', { answer: result({ found: 1 }) }))
  exchange.outgoing = structuredClone(exchange.sent)
  await exchange.phase(server, instance, 'access')
  await exchange.proxied()
  await server.rpc('CloseInstance', instance)
  await exchange.phase(server, await server.instance(config), 'response')
  assert.ok(Buffer.from(exchange.response.body).toString().includes('"found":1'))
})

test('without the plugin server nothing is sent', async () => {
  const gone = { rpc: () => Promise.reject(new Error('connection refused')) }
  const exchange = call('crm.search', '{"query": "a"}')
  const reply = await Remote.of(exchange).through(gone, 0)
  assert.equal(reply.status, 502)
  assert.equal(exchange.reached.length, 0)
})
