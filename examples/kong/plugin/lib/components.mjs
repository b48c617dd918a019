// The two components, as `npm run build` made them: the policy, and enforcement on top of it.

import { readFileSync } from 'node:fs'
import { Cells } from './cells.mjs'

const DIST = process.env.PLACET_DIST ?? new URL('../dist', import.meta.url).pathname

let shared

/** One policy, one guard and one state for all of the process. */
export class Components {
  static shared(dist = DIST) {
    shared ??= Components.load(dist)
    return shared
  }

  static async load(dist) {
    const components = new Components()
    components.makePolicy = await maker(dist, 'policy')
    components.makeEnforcement = await maker(dist, 'enforcement')
    // State outlives a component that trapped.
    components.cells = new Cells()
    return components
  }

  /** The policy component's functions. */
  policy() {
    this.decisions ??= this.makePolicy({})['placet:policy/decisions@0.1.0']
    return this.decisions
  }

  /** The enforcement component's functions. */
  enforcement() {
    this.guarding ??= this.makeEnforcement({
      'placet:policy/decisions': this.decided(),
      'placet:enforcement/cells': this.cells,
    })['placet:enforcement/enforcement@0.1.0']
    return this.guarding
  }

  /** Does something with the enforcement component; one that trapped is not used again. */
  use(work) {
    try {
      return work()
    } catch (error) {
      this.guarding = undefined
      throw error
    }
  }

  /** What enforcement asks of the policy: a component that traps denies, and is not used again. */
  decided() {
    const or = (ask, denied) => {
      try {
        return ask(this.policy())
      } catch (error) {
        this.decisions = undefined
        return denied(`The policy component failed: ${error?.message ?? error}.`)
      }
    }
    return {
      decideJson: (call, facts) => or((policy) => policy.decideJson(call, facts), denial),
      listTools: (call, facts, tools) =>
        or(
          (policy) => policy.listTools(call, facts, tools),
          () => tools.map((tool) => ({ tool, visible: false })),
        ),
    }
  }
}

/** Makes instances of a transpiled component. */
async function maker(dist, name) {
  const { instantiate } = await import(`${dist}/${name}/${name}.js`)
  const modules = new Map()
  const core = (path) => {
    if (!modules.has(path)) modules.set(path, new WebAssembly.Module(readFileSync(`${dist}/${name}/${path}`)))
    return modules.get(path)
  }
  return (imports) => instantiate(core, imports)
}

function denial(reason) {
  const delta = { session: undefined, charges: [], settlements: [], at: '1970-01-01T00:00:00Z' }
  const nothing = { rules: [], obligations: [], approvals: [], shadow: [], policy: '', delta }
  return { verdict: 'deny', code: 'engine-trap', reason, ...nothing }
}
