// The plugin in Kong's plugin server itself, over its socket, with Kong's part of the protocol played here.

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, test } from 'node:test'
import { Exchange, GUARD, call, message, result } from './kong.mjs'

const require = createRequire(import.meta.url)
const { Encoder, decode } = require('@msgpack/msgpack')
const Server = require('kong-pdk/server')
const Listener = require('kong-pdk/listener')

const logger = { debug() {}, info() {}, warn: console.warn, error: console.error }
const dir = mkdtempSync(join(tmpdir(), 'placet-'))
const socket = join(dir, 'js_pluginserver.sock')
let plugins, listener

before(async () => {
  plugins = new Server(new URL('../plugins', import.meta.url).pathname, logger)
  listener = new Listener(plugins, socket).serve()
  await new Promise((ready) => listener.once('listening', ready))
})

after(() => {
  listener.close()
  plugins.close()
  rmSync(dir, { recursive: true })
})

/** One call of the plugin server, on a connection of its own. */
function rpc(method, ...args) {
  return new Promise((resolve, reject) => {
    const connection = net.createConnection(socket)
    const chunks = []
    connection.on('error', reject)
    connection.on('data', (chunk) => {
      chunks.push(chunk)
      let answer
      try {
        answer = decode(Buffer.concat(chunks))
      } catch {
        return
      }
      connection.destroy()
      if (answer[2]) reject(new Error(answer[2]))
      else resolve(answer[3])
    })
    connection.write(new Encoder().encode([0, 1, `plugin.${method}`, args]))
  })
}

/** The harness's exchange, with each phase run by the plugin server. */
class Remote extends Exchange {
  async through(instance) {
    this.outgoing = structuredClone(this.sent)
    await this.phase(instance, 'access')
    if (!this.exiting) this.proxied()
    await this.phase(instance, 'response')
    return this.exiting ? this.response : this.proxiedAnswer
  }

  async phase(instance, name) {
    if (this.exiting) return
    let step = await rpc('HandleEvent', { InstanceId: instance, EventName: name })
    while (step.Data !== 'ret') {
      const { Method, Args } = step.Data
      const Data = this.answerTo(Method, Args)
      if (this.exiting) return
      step = await rpc('Step', { EventId: step.EventId, Data })
    }
  }
}

const remote = (exchange) => Object.setPrototypeOf(exchange, Remote.prototype)

async function start(config) {
  const { Id } = await rpc('StartInstance', { Name: 'placet', Config: JSON.stringify(config) })
  return Id
}

test('what it tells Kong about itself', async () => {
  const info = await rpc('GetPluginInfo', 'placet')
  assert.deepEqual(info.Phases.toSorted(), ['access', 'response'])
  assert.equal(info.Priority, 760)
  assert.deepEqual(info.Schema.fields[0].config.fields.map((field) => Object.keys(field)[0]), ['guard', 'upstream'])
})

test('calls', async () => {
  const instance = await start({ guard: JSON.stringify(GUARD), upstream: 'placet-allowed' })
  const small = '{"amount": 50, "currency": "USD", "customer": "c-1", "reason": "late"}'
  for (const [name, exchange, reached, has] of [
    ['allowed', call('payments.refund', small, { answer: result({ done: true }) }), 1, '"done":true'],
    ['denied', call('admin.drop_database', '{"name": "crm"}'), 0, 'org/no-administration'],
    ['malformed', message('{"jsonrpc":"2.0","id":1,"id":2}'), 0, 'occurs twice'],
    ['larger than what a socket takes at once', call('crm.search', `{"query": "${'ä'.repeat(300_000)}"}`), 1, ''],
    ['not UTF-8', message(new Uint8Array([0x7b, 0xff, 0x7d])), 0, '"error"'],
  ]) {
    const reply = await remote(exchange).through(instance)
    const body = typeof reply.body === 'string' ? reply.body : Buffer.from(reply.body).toString()
    assert.equal(exchange.reached.length, reached, `${name}: ${body}`)
    assert.ok(body.includes(has), `${name}: ${body}`)
  }
})

test('an instance that cannot be configured refuses', async () => {
  const instance = await start({ guard: '{}', upstream: 'placet-allowed' })
  const exchange = message('{}')
  const reply = await remote(exchange).through(instance)
  assert.equal(reply.status, 503)
  assert.equal(exchange.reached.length, 0)
})
