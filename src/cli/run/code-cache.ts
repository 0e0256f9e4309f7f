/**
 * @packageDocumentation
 * What V8 made of the daemon's code, kept for the next process. A killed daemon's guests wait while its successor's
 * code is read, parsed and compiled, function by function, which takes longer than all that it then does; and the one
 * before it had all that done. So the part of the installed program that only a daemon needs is a script
 * (scripts/bundle.mjs) and not a module, for V8 gives the compiled code of scripts alone, and it lies in run.dir:
 *
 *   run.dir/code-<hash of the script>     V8's own format; it refuses another version's or other flags', and then, or
 *                                         when there is none, the script is compiled as ever
 *
 * In a working copy the same code consists of modules, and nothing is kept. What must never happen: code of another
 * program, so the hash is of the whole script; a start that fails for want of what is only a help.
 */
import { readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Script } from 'node:vm'

type Exports = Record<string, unknown>

/** A script as the bundle has it: the body of a module, with what a module has around it as parameters. */
type Body = (
  module: { exports: Exports }, exports: Exports, require: (name: string) => unknown, url: string, directory: string,
  importModule: (name: string) => Promise<unknown>,
) => void

let directory: string | undefined
let kept: { readonly script: Script; readonly name: string } | undefined

/** Where code is looked for and kept: run.dir. Before the script is run. */
export function keepCodeIn(path: string): void {
  directory = path
}

/**
 * Runs the script at `url`; `shared` are modules that it has in common with others, by the names that it gives them.
 * @returns what it exports.
 */
export function runScript(url: string, hash: string, shared: Readonly<Record<string, unknown>>): Exports {
  const filename = fileURLToPath(url)
  const name = `code-${hash}`
  const cachedData = directory === undefined ? undefined : read(join(directory, name))
  const script = new Script(readFileSync(filename, 'utf8'), {
    filename, ...(cachedData && { cachedData }),
  })
  if (cachedData === undefined || script.cachedDataRejected === true) kept = { script, name }
  const others = createRequire(url)
  const module = { exports: {} as Exports }
  const body = script.runInThisContext() as Body
  const require = (id: string): unknown => (Object.hasOwn(shared, id) ? shared[id] : others(id))
  // Of compiled code that was kept, Node forgets how `import()` is answered: it is done here.
  const importModule = (id: string): Promise<unknown> => import(id.startsWith('.') ? new URL(id, url).href : id)
  body(module, module.exports, require, url, dirname(filename), importModule)
  return module.exports
}

/** Keeps what has been compiled by now, unless the code came from there. @returns a sentence when it cannot be kept. */
export function keepCode(): string | undefined {
  if (kept === undefined || directory === undefined) return undefined
  const { script, name } = kept
  kept = undefined
  try {
    for (const old of readdirSync(directory)) if (old.startsWith('code-')) rmSync(join(directory, old))
    const path = join(directory, name)
    writeFileSync(`${path}.new`, script.createCachedData(), { mode: 0o600 })
    renameSync(`${path}.new`, path)
    return undefined
  } catch (error) {
    return `the compiled code is not kept for the next start: ${String(error)}`
  }
}

function read(path: string): Buffer | undefined {
  try {
    return readFileSync(path)
  } catch {
    return undefined
  }
}
