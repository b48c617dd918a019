// What is allowed reaches the upstream as it was decided, and nothing else does.

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Exchange, call, message, result } from '../harness/exchange.mjs'

const SMALL = '{"amount": 50, "currency": "USD", "customer": "c-1", "reason": "late"}'
const BIG = '{"amount": 900, "currency": "USD", "customer": "c-1", "reason": "lost"}'
const HUGE = '{"amount": 20000, "currency": "USD", "customer": "c-1", "reason": "all"}'
const ok = result({ done: true })

/** The tools that the upstream was asked for. */
const tools = (exchange) => exchange.reached.map((request) => JSON.parse(request.body).params.name)

async function check(exchange, { status = 200, has = [], reached = 0 }) {
  const reply = await exchange.run()
  assert.equal(reply.status, status, reply.body)
  for (const part of [has].flat()) assert.ok(reply.body.includes(part), `\`${part}\` is missing in ${reply.body}`)
  assert.equal(exchange.reached.length, reached, `${exchange.reached.length} requests reached the upstream`)
  return reply
}

test('MCP calls by verdict', async (t) => {
  for (const [name, tool, args, expected] of [
    ['allowed', 'payments.refund', SMALL, { reached: 1, has: ['"done":true', '"verdict":"allow"'] }],
    ['escalated', 'payments.refund', BIG, { has: ['needs approval', '"isError":true', 'dev.placet/approval'] }],
    ['denied', 'payments.refund', HUGE, { has: ['denied by policy', '"isError":true', 'org/refund-ceiling'] }],
    ['unknown tool', 'payments.steal', '{}', { has: ['"isError":true', '"default-deny"'] }],
    ['an argument too many', 'payments.refund', SMALL.replace('{', '{"force": true, '), { has: '"default-deny"' }],
  ])
    await t.test(name, async () => void (await check(call(tool, args, { answer: ok }), expected)))
})

test('what is forwarded was written anew, numbers of 64 bits included', async () => {
  const args = '{ "id" : "c-1" }'
  const body = `{"params":{"arguments":${args},"name":"crm.read_customer"},"id":9007199254740993,"method":"tools/call","jsonrpc":"2.0"}`
  const exchange = message(body, { answer: (sent) => ({ ...ok(), body: ok().body.replace('"id":1', '"id":9007199254740993') }) })
  const reply = await check(exchange, { reached: 1 })
  const params = `{"name":"crm.read_customer","arguments":${args}}`
  assert.equal(
    exchange.reached[0].body,
    `{"jsonrpc":"2.0","id":9007199254740993,"method":"tools/call","params":${params}}`,
  )
  assert.ok(reply.body.includes('"id":9007199254740993'))
})

test('the catalogue is filtered', async () => {
  const listed = ['payments.refund', 'crm.search', 'admin.drop_database'].map((name) => ({ name, inputSchema: {} }))
  const answer = () => ({ ...ok(), body: JSON.stringify({ jsonrpc: '2.0', id: 1, result: { tools: listed } }) })
  const reply = await check(message('{"jsonrpc":"2.0","id":1,"method":"tools/list"}', { answer }), { reached: 1 })
  const shown = JSON.parse(reply.body).result.tools.map((tool) => tool.name)
  assert.deepEqual(shown, ['payments.refund', 'crm.search'])
})

test('a session remembers calls and results', async () => {
  const session = 'remembers'
  const pay = '{"payee": "northwind-energy", "amount": 100, "currency": "EUR"}'
  const mail = '{"to": ["sam@partner.example"], "subject": "s", "body": "b"}'
  for (const [tool, args, answer, expected] of [
    ['payments.pay', pay, ok, { has: 'pay-verified-payees-only' }],
    ['payees.verify', '{"payee": "northwind-energy"}', result({ verified: true }), { reached: 1 }],
    ['payments.pay', pay, ok, { reached: 1 }],
    ['email.send', mail, ok, { reached: 1 }],
    ['crm.read_customer', '{"id": "c-1"}', ok, { reached: 1 }],
    ['email.send', mail, ok, { has: 'no-customer-data-outside' }],
  ])
    await check(call(tool, args, { session, answer }), expected)
  await check(call('email.send', mail, { session: 'another', answer: ok }), { reached: 1 })
})

test('a limit is exact under calls at once', async () => {
  const consumer = { id: 'r', username: 'rate-bot', tags: ['finance'] }
  const calls = Array.from({ length: 12 }, () => call('payments.refund', SMALL, { consumer, answer: ok }))
  const replies = await Promise.all(calls.map((exchange) => exchange.run()))
  assert.equal(calls.flatMap(tools).length, 5)
  assert.equal(replies.filter((reply) => reply.body.includes('limit-exceeded')).length, 7)
})

test('a stream of events is inspected like a single answer', async () => {
  const answer = () => ({
    status: 200,
    headers: { 'content-type': 'text/event-stream' },
    body: `event: message\ndata: ${ok().body}\n\ndata: {"jsonrpc":"2.0","id":77,"result":{}}\n\ndata: not json\n\n`,
  })
  const reply = await check(call('crm.search', '{"query": "x"}', { answer }), { reached: 1, has: '"done":true' })
  assert.equal(reply.headers['content-type'], 'text/event-stream')
  assert.ok(!reply.body.includes('77') && !reply.body.includes('not json'), reply.body)
})

test('a plain interface', async (t) => {
  const json = { 'content-type': 'application/json' }
  const REFUNDS = '/api/customers/c-1/refunds'
  // The customer is in the path.
  const part = (args) => args.replace('"customer": "c-1", ', '')
  for (const [name, request, expected, sent] of [
    ['path argument', { method: 'GET', path: '/api/customers/c-1' }, { reached: 1 }, '/api/customers/c-1'],
    ['body arguments', { path: REFUNDS, headers: json, body: part(SMALL) }, { reached: 1 }, REFUNDS],
    ['escalated', { path: REFUNDS, headers: json, body: part(BIG) }, { status: 403, has: 'approval-required' }],
    ['denied', { path: REFUNDS, headers: json, body: part(HUGE) }, { status: 403, has: 'refund-ceiling' }],
    ['denied by path', { method: 'DELETE', path: '/api/databases/crm' }, { status: 403, has: 'no-administration' }],
    ['an argument twice', { path: REFUNDS, headers: json, body: SMALL }, { status: 400 }],
    ['a query that no rule names', { path: `${REFUNDS}?force=true`, headers: json, body: part(SMALL) }, { status: 403 }],
    ['no route', { method: 'GET', path: '/api/nothing' }, { status: 403, has: 'no-route' }],
    ['wrong method', { method: 'PUT', path: REFUNDS, headers: json, body: part(SMALL) }, { status: 403 }],
    ['not guarded', { method: 'GET', path: '/health?x=1', consumer: undefined }, { reached: 1 }, '/health?x=1'],
  ])
    await t.test(name, async () => {
      const exchange = new Exchange({ ...request, body: request.body ?? '' })
      await check(exchange, expected)
      if (sent) assert.equal(exchange.reached[0].path, sent)
    })
})

test('every decision, and what became of it, is a line in the log', async (t) => {
  const broken = () => ({ status: 500, headers: {}, body: 'oops' })
  const json = { 'content-type': 'application/json' }
  const api = (answer) => new Exchange({ method: 'GET', path: '/api/customers/c-1', headers: json, answer })
  for (const [name, exchange, expected] of [
    ['denied', call('payments.refund', HUGE), [['deny', undefined]]],
    ['ran', call('crm.search', '{"query": "a"}', { answer: ok }), [['allow', undefined], ['allow', 'ran']]],
    ['no answer', call('crm.search', '{"query": "a"}', { answer: broken }), [['allow', undefined], [undefined, 'unknown']]],
    ['a plain answer', api(ok), [['allow', undefined], [undefined, 'ran']]],
    ['a plain answer that failed', api(broken), [['allow', undefined], [undefined, 'failed']]],
  ])
    await t.test(name, async () => {
      await exchange.run()
      const records = exchange.log.map((line) => JSON.parse(line.replace(/^placet: /, '')))
      assert.deepEqual(records.map(({ decision, outcome }) => [decision?.verdict, outcome]), expected)
      assert.equal(new Set(records.map((record) => record.exchange)).size, 1)
      assert.ok(records[0].call.tool)
    })
})
