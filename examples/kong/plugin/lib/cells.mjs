// State in this process: cells that are only ever written over what was read of them.

/**
 * Exact for one plugin server: JavaScript runs one thing at a time, so nothing comes between a read and its write.
 * It is gone when the process ends, and Kong nodes do not share it. How much it may hold is bounded by the enforcement
 * component, which asks for a fixed number of cells of limited size.
 */
export class Cells {
  #held = new Map()

  get = (name) => this.#held.get(name)

  swap = (name, seen, bytes) => {
    const version = this.#held.get(name)?.version
    if (version !== seen) return false
    this.#held.set(name, { bytes: new Uint8Array(bytes), version: (version ?? 0n) + 1n })
    return true
  }
}
