// Kong as the plugin sees it: the PDK's test harness, with values as Kong's `mp_rpc.lua` gives them.

import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const PDK = require('kong-pdk/pdk')
const { PluginTest, Request, Response } = require('kong-pdk/plugin_test')
export const plugin = require('../plugins/placet.cjs')

/** Guards an MCP endpoint and a plain interface, under the quickstart's policies. */
export const GUARD = {
  mcp: [{ path: '/mcp' }],
  http: [
    {
      prefix: '/api/',
      routes: [
        { method: 'GET', path: '/api/customers/{id}', tool: 'crm.read_customer' },
        { method: 'POST', path: '/api/customers/{customer}/refunds', tool: 'payments.refund' },
        { method: 'DELETE', path: '/api/databases/{name}', tool: 'admin.drop_database' },
      ],
    },
  ],
  identity: {
    fixed: { tenant: 'acme', env: 'production' },
    claims: { agent: 'consumer.username', agent_roles: 'consumer.tags' },
  },
}

export const CONSUMER = { id: '4f1c', username: 'support-bot', tags: ['finance'] }

/** One request through the harness. What it records of the upstream is what really would have been sent. */
export class Exchange extends PluginTest {
  constructor({ method = 'POST', path = '/mcp', headers = {}, body = '', ...others }) {
    super(new Request())
    this.sent = { method, path, headers: table(headers), body: bytes(body) }
    this.consumer = CONSUMER
    this.httpVersion = 1.1
    this.upstreams = ['placet-allowed']
    this.answer = () => ({ status: 200, headers: { 'content-type': 'application/json' }, body: '{}' })
    Object.assign(this, others)
    this.shared = new Map()
    this.reached = []
    this.log = []
  }

  /** Runs all phases: what the client gets, and in `reached` what the upstream got. */
  async run(config = {}) {
    const outgoing = structuredClone(this.sent)
    this.outgoing = outgoing
    this.serviceRequest.toResponse = () => this.proxied()
    await this.Run(plugin, { guard: JSON.stringify(GUARD), upstream: 'placet-allowed', ...config })
    if (this.exiting) return { status: this.response.status, headers: this.replyHeaders ?? {}, body: text(this.response.body) }
    const { status, headers, body } = this.proxiedAnswer
    return { status, headers, body: text(body) }
  }

  proxied() {
    this.proxiedAnswer = { status: 502, headers: {}, body: 'name resolution failed' }
    if (this.host) {
      this.reached.push({ ...this.outgoing, body: text(this.outgoing.body) })
      this.proxiedAnswer = this.answer(text(this.outgoing.body))
    }
    return new Response(this.proxiedAnswer)
  }

  async executePhase(instance, phase) {
    if (this.exiting || !instance.cls[phase]) return
    const served = this.serve()
    await instance.executePhase(phase, new PDK(this.childCh).kong)
    this.childCh.put('ret')
    await served
  }

  /** Answers what the plugin asks, until it has done. */
  async serve() {
    for (;;) {
      const asked = await this.ch.get()
      if (asked === 'ret') return
      const answer = this.answerTo(asked.Method, asked.Args)
      if (!this.exiting) this.ch.put([answer, undefined])
    }
  }

  answerTo(method, args) {
    if (!FUNCTIONS[method]) throw new Error(`Kong has no \`${method}\``)
    return FUNCTIONS[method](this, ...args)
  }
}

const FUNCTIONS = {
  'kong.request.get_method': (kong) => kong.sent.method,
  'kong.request.get_path_with_query': (kong) => kong.sent.path,
  'kong.request.get_headers': (kong, most) => Object.fromEntries(Object.entries(kong.sent.headers).slice(0, most)),
  'kong.request.get_http_version': (kong) => kong.httpVersion,
  'kong.request.get_raw_body': (kong) => kong.sent.body,
  'kong.client.get_credential': (kong) => kong.consumer && { id: 'key-1', consumer: { id: kong.consumer.id } },
  'kong.client.get_consumer': (kong) => kong.consumer,
  'kong.ctx.shared.get': (kong, name) => kong.shared.get(name),
  'kong.ctx.shared.set': (kong, name, value) => void kong.shared.set(name, value),
  'kong.service.set_upstream': (kong, name) => {
    if (!kong.upstreams.includes(name)) return undefined
    kong.host = name
    return true
  },
  'kong.service.request.set_raw_body': (kong, body) => void (kong.outgoing.body = bytes(body)),
  'kong.service.request.set_path': (kong, path) => void (kong.outgoing.path = path),
  'kong.service.request.set_raw_query': (kong, query) => void (kong.outgoing.path += query && `?${query}`),
  'kong.service.request.set_header': (kong, name, value) => void (kong.outgoing.headers[name] = [value]),
  'kong.service.request.clear_header': (kong, name) => void delete kong.outgoing.headers[name],
  'kong.service.response.get_status': (kong) => kong.proxiedAnswer.status,
  'kong.service.response.get_headers': (kong) => table(kong.proxiedAnswer.headers),
  'kong.service.response.get_raw_body': (kong) => bytes(kong.proxiedAnswer.body),
  'kong.response.exit': (kong, status, body, headers) => {
    Object.assign(kong.response, { status, body })
    kong.replyHeaders = headers
    kong.setExiting(true)
  },
  'kong.log.notice': (kong, line) => void kong.log.push(line),
  'kong.log.err': (kong, line) => void kong.log.push(line),
}

/** Headers as Kong gives them: names in lower case, always lists. */
function table(headers) {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), [value].flat()]))
}

function bytes(body) {
  return typeof body === 'string' ? new TextEncoder().encode(body) : new Uint8Array(body)
}

function text(body) {
  return typeof body === 'string' ? body : new TextDecoder('utf-8', { ignoreBOM: true }).decode(body)
}

const MCP = { 'content-type': 'application/json', 'mcp-protocol-version': '2025-11-25' }

/** A message to the MCP endpoint in a session of its own, unless one is named. */
export function message(body, { session = crypto.randomUUID(), headers, ...others } = {}) {
  return new Exchange({ headers: { ...MCP, 'mcp-session-id': session, ...headers }, body, ...others })
}

/** A tool call; the arguments are JSON text, since what is tested is text. */
export function call(tool, args, options) {
  return message(`{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"${tool}","arguments":${args}}}`, options)
}

export const result = (structured) => () => ({
  status: 200,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({
    jsonrpc: '2.0',
    id: 1,
    result: { content: [{ type: 'text', text: JSON.stringify(structured) }], structuredContent: structured },
  }),
})
