// Makes JavaScript of the two components: `node build.mjs POLICY.component.wasm ENFORCEMENT.component.wasm [DIST]`.

import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { transpileBytes } from '@bytecodealliance/jco-transpile'

const [policy, enforcement, dist = new URL('dist', import.meta.url).pathname] = process.argv.slice(2)
if (!enforcement) {
  console.error('usage: node build.mjs POLICY.component.wasm ENFORCEMENT.component.wasm [DIST]')
  process.exit(2)
}
for (const [name, path] of Object.entries({ policy, enforcement })) {
  const bytes = await readFile(path)
  const { files } = await transpileBytes(bytes, { name, instantiation: 'sync', emitTypescriptDeclarations: false })
  await rm(join(dist, name), { recursive: true, force: true })
  for (const [file, contents] of Object.entries(files)) {
    const target = join(dist, name, file)
    await mkdir(dirname(target), { recursive: true })
    await writeFile(target, contents)
  }
  // Whatever directory this is, the modules in it are ES modules.
  await writeFile(join(dist, name, 'package.json'), '{"type": "module"}\n')
  console.log(`${name}: ${Object.keys(files).length} files in ${join(dist, name)}`)
}
