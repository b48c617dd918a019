// The same policy, and the same decisions, as the native engine's.

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { Components } from '../lib/components.mjs'

const { PLACET, PLACET_POLICY } = process.env
// On CI nothing may be missing.
const there = process.env.CI || (PLACET && PLACET_POLICY)
const skip = there ? false : 'PLACET (the program) and PLACET_POLICY (its policies) are not set'
const calls = readFileSync(new URL('calls.jsonl', import.meta.url), 'utf8').trim().split('\n')
const placet = (args, input) => execFileSync(PLACET, args, { input, encoding: 'utf8' })

test('the digest', { skip }, async () => {
  const components = await Components.shared()
  const { digest } = components.policy().describe()
  const native = placet(['decide', '--target', 'native', '--policy', PLACET_POLICY], calls[0])
  assert.equal(digest, JSON.parse(native).policy)
})

test('every decision, byte for byte, state carrying on from call to call', { skip }, async () => {
  const native = placet(['decide', '--target', 'native', '--policy', PLACET_POLICY], calls.join('\n')).trim().split('\n')
  assert.equal(native.length, calls.length)
  // A component of its own: no state of other tests.
  const components = await Components.load(process.env.PLACET_DIST ?? new URL('../dist', import.meta.url).pathname)
  const { decide } = components.enforcement()
  const decided = calls.map((call) => decide(new TextEncoder().encode(call)))
  assert.deepEqual(decided, native)
  const verdicts = new Set(decided.map((decision) => JSON.parse(decision).verdict))
  assert.deepEqual([...verdicts].sort(), ['allow', 'deny', 'escalate'])
})
