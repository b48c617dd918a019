// Kong's side of the plugin server's protocol: MessagePack over a socket, a step for each thing that a plugin asks.

import { mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import net from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Exchange } from './exchange.mjs'

const require = createRequire(import.meta.url)
const { Encoder, decode } = require('@msgpack/msgpack')
const Server = require('kong-pdk/server')
const Listener = require('kong-pdk/listener')

const logger = { debug() {}, info() {}, warn: console.warn, error: console.error }

/** The real plugin server with the real plugin, on a socket. */
export class PluginServer {
  static async start() {
    const server = new PluginServer()
    server.dir = mkdtempSync(join(tmpdir(), 'placet-'))
    server.socket = join(server.dir, 'js_pluginserver.sock')
    server.plugins = new Server(new URL('../plugins', import.meta.url).pathname, logger)
    server.listener = new Listener(server.plugins, server.socket).serve()
    await new Promise((ready) => server.listener.once('listening', ready))
    return server
  }

  stop() {
    this.listener.close()
    this.plugins.close()
    rmSync(this.dir, { recursive: true })
  }

  /** One call, on a connection of its own. */
  rpc(method, ...args) {
    return new Promise((resolve, reject) => {
      const connection = net.createConnection(this.socket)
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

  /** An instance of the plugin, by its number. */
  async instance(config) {
    const { Id } = await this.rpc('StartInstance', { Name: 'placet', Config: JSON.stringify(config) })
    return Id
  }
}

/** The harness's exchange, with each phase run by the plugin server. */
export class Remote extends Exchange {
  static of(exchange) {
    return Object.setPrototypeOf(exchange, Remote.prototype)
  }

  /** What the client gets. As Kong, it goes on when the plugin server does not answer. */
  async through(server, instance) {
    this.outgoing = structuredClone(this.sent)
    await this.phase(server, instance, 'access')
    if (!this.exiting) await this.proxied()
    await this.phase(server, instance, 'response')
    if (!this.exiting) return this.proxiedAnswer
    return { status: this.response.status, headers: this.replyHeaders ?? {}, body: this.response.body }
  }

  async phase(server, instance, name) {
    if (this.exiting) return
    try {
      let step = await server.rpc('HandleEvent', { InstanceId: instance, EventName: name })
      while (step.Data !== 'ret') {
        const { Method, Args } = step.Data
        const Data = this.answerTo(Method, Args)
        if (this.exiting) return
        step = await server.rpc('Step', { EventId: step.EventId, Data })
      }
    } catch (error) {
      this.log.push(`the plugin server: ${error.message}`)
    }
  }
}
