// The example as it stands, with real servers behind it: the same requests, and the same output, as with Kong.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { PluginServer } from '../harness/remote.mjs'
import { serve } from '../harness/stand-in.mjs'

const { PLACET } = process.env
// On CI nothing may be missing.
const there = process.env.CI || PLACET
const skip = there ? false : 'PLACET (the program, with the quickstart server beside it) is not set'
const example = new URL('../..', import.meta.url).pathname

/** Starts a program, and waits for the address in its first line. */
async function start(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  const line = await new Promise((resolve, reject) => {
    child.stdout.once('data', (data) => resolve(String(data)))
    child.once('error', reject)
    child.once('exit', (code) => reject(new Error(`\`${program}\` ended with ${code}`)))
  })
  return { child, port: /:(\d+)/.exec(line)[1] }
}

async function output(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  for await (const chunk of child.stdout) text += chunk
  return text
}

test('its requests', { skip }, async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'placet-'))
  const [mcpRecord, apiRecord] = ['mcp.jsonl', 'api.jsonl'].map((name) => join(dir, name))
  const mcp = await start(join(dirname(PLACET), 'quickstart-server'), ['--record', mcpRecord])
  const api = await start('python3', [join(example, 'api.py'), '0', apiRecord])
  const server = await PluginServer.start()
  const text = readFileSync(join(example, 'plugin/kong.yml'), 'utf8')
  const kong = await serve(text.replace(':8900', `:${mcp.port}`).replace(':8901', `:${api.port}`), server)
  t.after(() => {
    kong.stop()
    server.stop()
    mcp.child.kill()
    api.child.kill()
    rmSync(dir, { recursive: true })
  })
  const actual = await output('python3', [join(example, 'calls.py'), kong.url, mcpRecord, apiRecord])
  assert.equal(actual, readFileSync(join(example, 'expected.txt'), 'utf8'))
})
