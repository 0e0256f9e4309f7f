/**
 * @packageDocumentation
 * Runs the command line as an operator does: the compiled `xbbd` in a process of its own, its two streams and its status
 * told apart. `startXbbd` is for processes that stay; whoever starts one ends it.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { resolve } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'

export interface Ended {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** A process that stays. */
export interface Running {
  readonly child: ChildProcess
  /** What it has written to standard error so far. */
  stderr(): string
  /** Resolves with the first line of standard error that matches; rejects when the process ends before. */
  line(pattern: RegExp): Promise<string>
  readonly ended: Promise<Ended>
}

/** Starts `xbbd` with these arguments. */
export function startXbbd(...args: string[]): Running {
  return startScript({}, 'src/cli/main.js', ...args)
}

/** Starts any compiled script, named relative to dist/ or by its whole path, with additions to the environment. */
export function startScript(env: NodeJS.ProcessEnv, script: string, ...args: string[]): Running {
  return startUnder([], env, script, ...args)
}

/** The same behind another command, which executes it: `['setpriv', …]`. */
export function startUnder(
  wrapper: readonly string[], env: NodeJS.ProcessEnv, script: string, ...args: string[]
): Running {
  const options = { env: { ...process.env, ...env } }
  const [command, ...rest] = [...wrapper, process.execPath, resolve(packageRoot(), 'dist', script), ...args]
  const child = spawn(command, rest, options)
  let stdout = ''
  let stderr = ''
  child.stdout.on('data', (chunk) => (stdout += String(chunk)))
  child.stderr.on('data', (chunk) => (stderr += String(chunk)))
  const ended = new Promise<Ended>((resolve) => {
    child.on('close', (status) => resolve({ status, stdout, stderr }))
  })
  const line = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      const look = () => {
        const found = stderr.split('\n').slice(0, -1).find((text) => pattern.test(text))
        if (found !== undefined) resolve(found)
      }
      child.stderr.on('data', look)
      look()
      void ended.then(({ status }) => reject(new Error(`xbbd ended with ${status} without ${pattern}: ${stderr}`)))
    })
  return { child, stderr: () => stderr, line, ended }
}

/** Runs `xbbd` to its end. */
export function xbbd(...args: string[]): Promise<Ended> {
  return startXbbd(...args).ended
}
