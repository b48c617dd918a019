// The configurations beside this folder are what Kong and Placet take, and mistakes in them are found.

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { test } from 'node:test'
import { parse } from 'yaml'
import { Components } from '../lib/components.mjs'
import { plugin } from '../harness/exchange.mjs'

const Ajv = createRequire(import.meta.url)('ajv-draft-04').default
const text = (path) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')
const meta = JSON.parse(text('filter/placet.meta.json'))
const ajv = new Ajv({ allErrors: true })

/** What `placet` is configured with in a declarative configuration: filters, and plugins of the name. */
function configurations(file) {
  const kong = parse(text(file), { strict: true, uniqueKeys: true })
  assert.equal(kong._format_version, '3.0')
  return kong.services.flatMap((service) => [
    ...(service.filter_chains ?? []).flatMap((chain) => chain.filters),
    ...(service.plugins ?? []),
  ])
}

const problems = (guard) => Components.shared().then((components) => {
  try {
    components.enforcement().Guard.open(JSON.stringify(guard))
    return ''
  } catch (error) {
    return String(error.payload ?? error)
  }
})

test('the schema is draft 4', () => {
  assert.equal(meta.config_schema.$schema, 'http://json-schema.org/draft-04/schema#')
  assert.ok(ajv.validateSchema(meta.config_schema), ajv.errorsText())
})

test('the filter', async (t) => {
  const validate = ajv.compile(meta.config_schema)
  for (const file of ['filter/kong.yml', 'filter/kong-3.9.yml'])
    await t.test(file, async () => {
      const found = configurations(file)
      assert.deepEqual(found.map((filter) => filter.name), ['placet', 'placet'])
      for (const { config } of found) {
        assert.ok(validate(config), ajv.errorsText(validate.errors))
        assert.equal(config.phase, 'body')
        assert.equal(await problems(config.guard), '')
      }
    })
  assert.deepEqual(configurations('filter/kong.yml'), configurations('filter/kong-3.9.yml'))

  const good = configurations('filter/kong.yml')[0].config
  for (const [name, change] of [
    ['no guard', { guard: undefined }],
    ['nothing to guard', { guard: { identity: good.guard.identity } }],
    ['nobody', { guard: { mcp: good.guard.mcp } }],
    ['an unknown field', { gaurd: {} }],
    ['an unknown field of the guard', { guard: { ...good.guard, refusal: 'error' } }],
    ['an unknown phase', { phase: 'later' }],
    ['a path that is none', { guard: { ...good.guard, mcp: [{ path: 'mcp' }] } }],
    ['a path with an escape', { guard: { ...good.guard, mcp: [{ path: '/%6dcp' }] } }],
    ['a limit of nothing', { guard: { ...good.guard, request_limit: 0 } }],
    ['an empty list, which Kong writes as an object', { guard: { ...good.guard, origins: [] } }],
    ['state nowhere', { state: { in: 'memory' } }],
    ['a key that is none', { policy: { bundle: 'AAAA', keys: ['abc'] } }],
    ['a bundle that is no Base64', { policy: { bundle: 'not base64!' } }],
    ['a cluster, which Kong does not have', { host: { cluster: 'placet', authority: 'placet' } }],
    ['text', 'phase: body'],
  ])
    await t.test(name, () => {
      const config = typeof change === 'string' ? change : JSON.parse(JSON.stringify({ ...good, ...change }))
      assert.ok(!validate(config), `accepted: ${JSON.stringify(config)}`)
    })
})

test('the plugin', async () => {
  const fields = plugin.Schema.map((field) => Object.keys(field)[0])
  const upstreams = parse(text('plugin/kong.yml')).upstreams.map((upstream) => upstream.name)
  const found = configurations('plugin/kong.yml')
  assert.equal(found.length, 2)
  for (const { name, config } of found) {
    assert.equal(name, 'placet')
    assert.deepEqual(Object.keys(config).toSorted(), fields.toSorted())
    assert.ok(upstreams.includes(config.upstream))
    assert.equal(await problems(JSON.parse(config.guard)), '')
  }
  assert.notEqual(await problems({ mcp: [{ path: '/mcp', paths: [] }], identity: {} }), '')
})

test('metrics have names that Prometheus takes', () => {
  // As kong/plugins/prometheus does it: a pattern of Lua with two captures, cut off where it begins.
  const regex = (lua) => new RegExp(lua.replaceAll('%a', 'a-zA-Z').replaceAll(/(?<!\[)a-zA-Z\+/g, '[a-zA-Z]+').replaceAll('%', '\\'))
  const named = (key) => {
    let name = key
    const labels = {}
    for (const { label, pattern } of meta.metrics.label_patterns) {
      const match = regex(pattern).exec(key)
      if (!match) continue
      labels[label] = match[2]
      name = key.slice(0, match.index)
    }
    return [name.replaceAll('.', '_'), labels]
  }
  for (const [key, name, labels] of [
    ['pw.placet.placet.decisions.allow', 'pw_placet_placet_decisions', { verdict: 'allow' }],
    ['pw.placet.placet.decisions.deny', 'pw_placet_placet_decisions', { verdict: 'deny' }],
    ['pw.placet.placet.codes.allowed', 'pw_placet_placet_codes', { code: 'allowed' }],
    ['pw.placet.placet.codes.limit-exceeded', 'pw_placet_placet_codes', { code: 'limit-exceeded' }],
    ['pw.placet.placet.codes.no-policy', 'pw_placet_placet_codes', { code: 'no-policy' }],
    ['pw.placet.placet.requests.refused', 'pw_placet_placet_requests_refused', {}],
    ['pw.placet.placet.decision_us', 'pw_placet_placet_decision_us', {}],
  ])
    assert.deepEqual(named(key), [name, labels])
})
