/**
 * @packageDocumentation
 * Commands in dom0, each with a bound: a tool that hangs (xl waiting for a back end, say) must cost its caller a sentence
 * and not the whole boot. What is left of it then is killed with its group.
 */
import { spawn } from 'node:child_process'

export interface Executed {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs to the end; never rejects because of what the command did. Rejects when it takes longer than `timeoutMs`. */
export function execute(command: string, args: readonly string[], timeoutMs = 60_000): Promise<Executed> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true })
    const output = { stdout: '', stderr: '' }
    child.stdout.on('data', (chunk) => (output.stdout += String(chunk)))
    child.stderr.on('data', (chunk) => (output.stderr += String(chunk)))
    const line = [command, ...args].join(' ')
    const timer = setTimeout(() => {
      if (child.pid) process.kill(-child.pid, 'SIGKILL')
      reject(new Error(`\`${line}\` did not end within ${timeoutMs / 1000} s: ${output.stdout}${output.stderr}`))
    }, timeoutMs)
    child.once('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    child.once('close', (status) => {
      clearTimeout(timer)
      resolve({ status, ...output })
    })
  })
}

/** Runs to the end and gives back standard output. Rejects with what it said when its status is not zero. */
export async function succeed(command: string, args: readonly string[], timeoutMs?: number): Promise<string> {
  const { status, stdout, stderr } = await execute(command, args, timeoutMs)
  if (status === 0) return stdout
  throw new Error(`\`${[command, ...args].join(' ')}\` ended with ${status}: ${`${stderr}${stdout}`.trim()}`)
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Resolves with the first value of `look` that is neither undefined nor false; looks every `everyMs`.
 * Rejects after `timeoutMs` with `what` never having come true.
 */
export async function until<T>(
  what: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
  timeoutMs = 20_000,
  everyMs = 100,
): Promise<T> {
  const end = performance.now() + timeoutMs
  for (;;) {
    const value = await look()
    if (value !== undefined && value !== false) return value
    if (performance.now() > end) throw new Error(`it did not come true within ${timeoutMs / 1000} s that ${what}`)
    await pause(everyMs)
  }
}
