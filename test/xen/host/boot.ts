/**
 * @packageDocumentation
 * One boot of the rig: QEMU as a child, what dom0 tells read line by line, and a bound on silence. When dom0 dies or says
 * nothing for longer than what it does may take, the machine is ended and the caller learns what was told until then.
 * Nor may the machine outlive who asked for it: a signal that would end this process ends QEMU first, and when this
 * process is killed outright, the kernel tells rig/run.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { constants } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { packageRoot } from '../../../src/io/native/load.js'

const RIG = join(packageRoot(), 'test/xen/rig')

/** From the start of QEMU to the first word. */
const BOOT_SILENCE_S = 120

/** Somebody ended this process while a machine ran, which has ended, too. */
export class Interrupted extends Error {
  readonly exitCode: number

  constructor(signal: NodeJS.Signals) {
    super(`ended by ${signal}, and the machine with it`)
    this.exitCode = 128 + constants.signals[signal]
  }
}

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
  /** What boots the machine; rig/run. */
  readonly program?: string
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

/** Starts what boots the machine, so that SIGTERM reaches it when this process dies, however that happens. */
function start(program: string, args: readonly string[], stdio: 'pipe' | 'inherit'): ChildProcess {
  return spawn('setpriv', ['--pdeathsig', 'TERM', '--', program, ...args], { stdio: ['ignore', stdio, stdio] })
}

/** Resolves with the child's status; SIGINT and the like are passed on, and reject when the child has ended. */
function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    let interrupted: Interrupted | undefined
    const interrupt = (signal: NodeJS.Signals) => {
      interrupted ??= new Interrupted(signal)
      child.kill('SIGTERM')
    }
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
    for (const signal of signals) process.on(signal, interrupt)
    const over = (outcome: () => void) => {
      for (const signal of signals) process.off(signal, interrupt)
      outcome()
    }
    child.once('error', (error) => over(() => reject(error)))
    child.once('close', (status) => over(() => (interrupted ? reject(interrupted) : resolve(status))))
  })
}

/** Boots, runs `command` in dom0, hands over what it tells. Rejects with Interrupted. */
export async function boot<Told extends AnyTold>(
  options: BootOptions<Told>, told: (told: Told) => void,
): Promise<BootOutcome> {
  const { share, command, machine, verbose, silenceOf, program = join(RIG, 'run') } = options
  const args = ['--project', share, '--console', join(share, 'out/console.txt'), '--timeout', '7200', ...machine]
  const child = start(program, [...args, ...(verbose ? ['--verbose'] : []), '--', command], 'pipe')
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
  child.stderr?.on('data', (chunk) => {
    errors = (errors + String(chunk)).slice(-4000)
    if (verbose) process.stderr.write(chunk as Buffer)
  })
  createInterface({ input: child.stdout as Readable }).on('line', (line) => {
    const event = parse<Told>(line)
    if (!event) return void process.stderr.write(`dom0: ${line}\n`)
    allow(silenceOf(event))
    if (event.event === 'done') done = true
    told(event)
  })
  const status = await ended(child).finally(() => clearTimeout(timer))
  const why = silent ?? `the machine ended (status ${status}): ${errors.trim().split('\n').slice(-16).join('\n')}`
  return { failure: done ? undefined : why }
}

/** Runs one line of shell in dom0 with this terminal's output. @returns its status. Rejects with Interrupted. */
export async function bootCommand(share: string, command: string, verbose: boolean): Promise<number> {
  const args = ['--project', share, ...(verbose ? ['--verbose'] : []), '--', command]
  return (await ended(start(join(RIG, 'run'), args, 'inherit'))) ?? 125
}

function parse<Told>(line: string): Told | undefined {
  if (!line.startsWith('{"event":')) return undefined
  try {
    return JSON.parse(line) as Told
  } catch {
    return undefined
  }
}
