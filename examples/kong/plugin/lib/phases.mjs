// What the plugin does in each phase: carries bytes between Kong and the enforcement component.

import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { Components } from './components.mjs'
import { answerHeaders, authenticated, bytes, list } from './kong.mjs'

/** More headers than this cannot be told from a list that Kong has cut off. */
const MOST_HEADERS = 1000
/** Kong's buffering sends any other method as GET. */
const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'])
/** Requests under way at most; then the oldest are forgotten, and their answers refused. */
const MOST_EXCHANGES = 4096
/** They outlive instances, which the plugin server drops after a minute without events. */
const exchanges = new Map()
/** Where the exchange's id is kept from one phase to the next. */
const MARK = 'placet_exchange'
const UNGUARDED = 'unguarded'

const now = () => new Date().toISOString()

const problem = (status, code, detail) => ({
  status,
  headers: [['content-type', 'application/problem+json']],
  body: JSON.stringify({ status, code, detail }),
})

/** One configuration of the plugin. The components and their state are shared by all of the process. */
export class Instance {
  static async open({ guard, upstream }) {
    const components = await Components.shared()
    const instance = new Instance()
    Object.assign(instance, { components, configuration: guard, upstream })
    instance.guard()
    return instance
  }

  /** The guard of the components in use, which are others after a trap. */
  guard() {
    const enforcement = this.components.enforcement()
    if (this.of !== enforcement) {
      try {
        this.opened = enforcement.Guard.open(this.configuration)
      } catch (error) {
        throw Object.assign(new Error(String(error.payload ?? error)), { code: 'bad-configuration' })
      }
      this.of = enforcement
    }
    return this.opened
  }

  remember(id, exchange) {
    exchanges.set(id, { exchange, of: this.of })
    if (exchanges.size > MOST_EXCHANGES) end(this.recall(exchanges.keys().next().value))
  }

  /** The exchange, unless the component that it belongs to has trapped. */
  recall(id) {
    const found = exchanges.get(id)
    exchanges.delete(id)
    return found?.of === this.components.guarding ? found?.exchange : undefined
  }
}

/** Runs a phase: a reply in place of the server's, or nothing when the request or the answer goes on. */
export async function run(phase, kong, instance) {
  return phase === 'access' ? access(kong, instance) : response(kong, instance)
}

async function access(kong, instance) {
  const headers = list(await kong.request.getHeaders(MOST_HEADERS))
  if (headers.length >= MOST_HEADERS) return problem(431, 'bad-request', 'there are too many headers')
  const method = await kong.request.getMethod()
  const path = await kong.request.getPathWithQuery()
  const claims = await authenticated(kong)
  const admitted = instance.components.use(() => instance.guard().admit({ method, path, headers }, claims))
  if (admitted.tag === 'refuse') return admitted.val
  if (admitted.tag === 'pass') return forward(kong, instance, UNGUARDED)

  const exchange = admitted.val
  const id = randomUUID()
  const reply = await request(kong, instance, exchange, id, method, headers)
  if (reply) {
    end(exchange)
    return reply
  }
  instance.remember(id, exchange)
  return forward(kong, instance, id)
}

/** The answer to a guarded request; nothing when what is to be sent stands ready. */
async function request(kong, instance, exchange, id, method, headers) {
  if (!METHODS.has(method)) return problem(405, 'bad-request', `the method \`${method}\` cannot be guarded`)
  // Kong buffers no answers over HTTP/2, so that they could not be inspected.
  if (Number(await kong.request.getHttpVersion()) >= 2)
    return problem(505, 'bad-request', 'guarded requests are taken over HTTP/1.1 only')
  const announced = headers.find(([name]) => name === 'content-length')?.[1]
  if (announced > Number(exchange.limit())) return exchange.tooLarge()
  const body = bytes(await kong.request.getRawBody())
  if (body.length > Number(exchange.limit())) return exchange.tooLarge()
  const verdict = instance.components.use(() => exchange.request(body, now()))
  await report(kong, exchange, id)
  if (verdict.tag === 'answer') return verdict.val
  await rewrite(kong, verdict.val, body)
}

/** What is sent is what was decided, and nothing that merely came along. */
async function rewrite(kong, { body, path, setHeaders, removeHeaders }, came) {
  for (const name of removeHeaders) await kong.service.request.clearHeader(name)
  for (const [name, value] of setHeaders) await kong.service.request.setHeader(name, value)
  if (path !== undefined) {
    const [, before, query] = /^([^?]*)\??(.*)$/s.exec(path)
    await kong.service.request.setPath(before)
    await kong.service.request.setRawQuery(query)
  }
  if (body || came.length > 0) await kong.service.request.setRawBody(body ?? new Uint8Array())
}

async function forward(kong, instance, mark) {
  await kong.ctx.shared.set(MARK, mark)
  // Kong says `true`, or nothing when there is no such upstream.
  if ((await kong.service.setUpstream(instance.upstream)) !== true)
    throw new Error(`Kong has no upstream \`${instance.upstream}\``)
}

async function response(kong, instance) {
  const mark = await kong.ctx.shared.get(MARK)
  if (mark === UNGUARDED) return
  const exchange = instance.recall(mark)
  if (!exchange) return problem(502, 'plugin-failed', 'nobody knows what this is the answer to')
  try {
    return await inspect(kong, instance, exchange)
  } finally {
    await report(kong, exchange, mark)
    end(exchange)
  }
}

/** What the server's answer becomes; nothing when it passes as it is. */
async function inspect(kong, instance, exchange) {
  const status = await kong.service.response.getStatus()
  const headers = list(await kong.service.response.getHeaders(MOST_HEADERS))
  const plan = instance.components.use(() => exchange.head(status, headers, now()))
  if (plan.tag === 'pass') return
  if (plan.tag === 'refuse') return plan.val
  const body = bytes(await kong.service.response.getRawBody())
  if (body.length > Number(plan.val)) return problem(502, 'answer-too-large', 'the answer of the server is too large')
  const answered = instance.components.use(() => exchange.response(body, now()))
  if (answered.tag === 'refuse') return answered.val
  return { status, headers: answerHeaders(headers), body: answered.val }
}

/** Every decision is a line in Kong's log, and so is what became of the call. */
async function report(kong, exchange, id) {
  for (const record of exchange.records(hostname(), id)) await kong.log.notice(`placet: ${record}`)
}

/** Gives an exchange's memory back. */
function end(exchange) {
  exchange?.[Symbol.dispose ?? Symbol.for('dispose')]?.()
}
