/**
 * @packageDocumentation
 * Finds and loads the addon. It is loaded by whoever first needs an operating-system facility, so that everything
 * pure (protocol, charts, core, journal reading, the simulator) runs on a machine where it cannot be built.
 */
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The directory that holds package.json, from wherever this file was compiled or bundled to. */
export function packageRoot(): string {
  let dir = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(dir, 'package.json'))) {
    const parent = dirname(dir)
    if (parent === dir) throw new Error('xbbd: no package.json above its own files: the installation is damaged')
    dir = parent
  }
  return dir
}

/** Loads the addon for this thread. Throws one sentence when it was not built. */
export function loadAddon<Addon>(): Addon {
  const path = join(packageRoot(), 'build/Release/xbbd.node')
  if (!existsSync(path)) throw new Error('xbbd: the addon is not built: run `npm run build` in the package directory')
  return createRequire(import.meta.url)(path) as Addon
}
