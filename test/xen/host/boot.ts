/**
 * @packageDocumentation
 * One boot of the rig: QEMU as a child, what dom0 tells read line by line, and a bound on silence. When dom0 dies or says
 * nothing for longer than what it does may take, the machine is ended and the caller learns what was told until then.
 */
import { spawn } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { packageRoot } from '../../../src/io/native/load.js'

const RIG = join(packageRoot(), 'test/xen/rig')

/** From the start of QEMU to the first word. */
const BOOT_SILENCE_S = 120
export interface BootOutcome {
  /** Why it ended before its time; undefined when dom0 said that it was done. */
  readonly failure: string | undefined
}

/** What dom0 tells is one JSON object per line; `done` is the last. */
export interface AnyTold {
  readonly event: string
}

export interface BootOptions<Told extends AnyTold> {
  readonly share: string
  readonly command: string
  readonly machine: readonly string[]
  readonly verbose: boolean
  /** Seconds of silence that are allowed after this was told. */
  readonly silenceOf: (told: Told) => number
}

/** Builds the rig when it is not there or not this one. @throws with the builder's sentence. */
export function buildRig(): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(join(RIG, 'build'), { stdio: ['ignore', 'ignore', 'inherit'] })
    child.once('error', reject)
    child.once('close', (status) => {
      if (status === 0) resolve()
      else reject(new Error('the Xen rig could not be built: the reason stands above'))
    })
  })
}

/** Boots, runs `command` in dom0, hands over what it tells. */
export function boot<Told extends AnyTold>(
  options: BootOptions<Told>, told: (told: Told) => void,
): Promise<BootOutcome> {
  const { share, command, machine, verbose, silenceOf } = options
  const args = ['--project', share, '--console', join(share, 'out/console.txt'), '--timeout', '7200', ...machine]
  const child = spawn(join(RIG, 'run'), [...args, ...(verbose ? ['--verbose'] : []), '--', command])
  let done = false
  let silent: string | undefined
  let timer: NodeJS.Timeout | undefined
  const allow = (seconds: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => {
      silent = `dom0 said nothing for ${seconds} s`
      child.kill('SIGTERM')
    }, seconds * 1000)
  }
  allow(BOOT_SILENCE_S)
  let errors = ''
  child.stderr.on('data', (chunk) => {
    errors = (errors + String(chunk)).slice(-4000)
    if (verbose) process.stderr.write(chunk as Buffer)
  })
  createInterface({ input: child.stdout }).on('line', (line) => {
    const event = parse<Told>(line)
    if (!event) return void process.stderr.write(`dom0: ${line}\n`)
    allow(silenceOf(event))
    if (event.event === 'done') done = true
    told(event)
  })
  return new Promise((resolve) => {
    child.once('close', (status) => {
      clearTimeout(timer)
      const why = silent ?? `the machine ended (status ${status}): ${errors.trim().split('\n').slice(-16).join('\n')}`
      resolve({ failure: done ? undefined : why })
    })
  })
}

/** Runs one line of shell in dom0 with this terminal's output. @returns its status. */
export function bootCommand(share: string, command: string, verbose: boolean): Promise<number> {
  const args = ['--project', share, ...(verbose ? ['--verbose'] : []), '--', command]
  const child = spawn(join(RIG, 'run'), args, { stdio: ['ignore', 'inherit', 'inherit'] })
  return new Promise((resolve) => child.once('close', (status) => resolve(status ?? 125)))
}

function parse<Told>(line: string): Told | undefined {
  if (!line.startsWith('{"event":')) return undefined
  try {
    return JSON.parse(line) as Told
  } catch {
    return undefined
  }
}
