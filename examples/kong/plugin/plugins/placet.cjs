// The Kong plugin `placet`: two phases, and whatever goes wrong in them ends in a refusal.
//
// Kong's plugin server goes on with the request when a plugin throws, so nothing may be thrown out of here.
'use strict'

const core = import('../lib/phases.mjs')
const failed = { status: 503, headers: [['content-type', 'application/problem+json']] }

/** Runs a phase; an error of any kind, the guard's own configuration included, is a 503 with a code. */
async function closed(kong, instance, phase) {
  let reply
  try {
    const { Instance, run } = await core
    instance.opened ??= Instance.open(instance.config)
    reply = await run(phase, kong, await instance.opened)
  } catch (error) {
    const code = error?.code === 'bad-configuration' ? error.code : 'plugin-failed'
    await kong.log.err(`placet: ${code}: ${error?.message ?? error}`)
    reply = { ...failed, body: JSON.stringify({ status: 503, code, detail: 'The request cannot be decided.' }) }
  }
  // `exit` ends the request in Kong and is never answered: it is the last thing that a phase does.
  if (reply) await kong.response.exit(reply.status, reply.body, Object.fromEntries(reply.headers))
}

class Plugin {
  constructor(config) {
    this.config = config
  }

  async access(kong) {
    await closed(kong, this, 'access')
  }

  async response(kong) {
    await closed(kong, this, 'response')
  }
}

module.exports = {
  Plugin,
  Name: 'placet',
  Version: '0.1.0',
  // After authentication, ACLs, rate limits and request transformers (801 and more), before anything that answers in
  // the upstream's place (aws-lambda 750, proxy-cache 100): what was decided is what is sent.
  Priority: 760,
  Schema: [
    // What is guarded, as JSON: docs/guard.md.
    { guard: { type: 'string', required: true } },
    // The Kong upstream that decided requests go to. The service's own host should be one that does not exist: then
    // nothing is sent when the plugin server is down, where Kong would otherwise go on without it.
    { upstream: { type: 'string', required: true } },
  ],
}
