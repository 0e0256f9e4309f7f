/**
 * @packageDocumentation
 * The old process's side of an upgrade, up to the moment at which it lets go: a successor is started, looked at, asked
 * whether it could go on from every journal, and awaited until it is as fast as it gets. All that while this process
 * serves as ever; whatever goes wrong ends the successor and nothing else. Every wait is bounded.
 */
import type { DaemonApi } from '../../ports/daemon-api.js'
import { XbbdError } from '../../protocol/errors.js'
import type { Log } from '../run/log.js'
import { buildOf, buildText, type Build } from './build.js'
import type { Refusal } from './dialogue.js'
import { SuccessorProcess, type ProgramCommand } from './successor-process.js'

/** Generous: an emulated machine starts a process in seconds. */
const START_MS = 60_000
const REHEARSAL_MS = 30_000
const WARM_MS = 20_000
const READY_MS = 5_000
/** A successor that is not wanted ends by itself within this time, or is ended. */
const END_MS = 5_000

/** What a running daemon is, for itself and for whoever asks what an upgrade changed. */
export interface ProcessIdentity extends Build {
  readonly pid: number
}

export interface UpgradeRequest {
  /** The main file of the program to change to; absent = the one this process was started from, as it is now. */
  readonly program?: string
  /** Stop after the rehearsal. */
  readonly check: boolean
}

/** A successor that waits to be let in. */
export interface Candidate {
  readonly process: SuccessorProcess
  readonly identity: ProcessIdentity
}

export interface UpgraderParts {
  readonly api: DaemonApi
  readonly log: Log
  readonly command: ProgramCommand
  /** For a successor, besides what it finds there. */
  readonly environment: () => NodeJS.ProcessEnv
  readonly places: () => Readonly<Record<string, string>>
}

/** Tells whoever asked how far it is. */
export type UpgradeProgress = (event: { readonly step: string }) => void

/** Devices in these states have a queue at work, and with it a journal. */
const HAS_QUEUE = /^(Connected|Closing\.(serving|draining))/

/** The queues that work now. */
export function workingQueues(api: Pick<DaemonApi, 'list'>): string[] {
  const working = api.list().filter(({ state, gaveUp }) => !gaveUp && HAS_QUEUE.test(state))
  return working.flatMap(({ connection }) => connection?.queues.map(({ name }) => name) ?? [])
}

/** Resolves with a successor that is ready. Rejects with XbbdError: then none is left. */
export async function findSuccessor(
  parts: UpgraderParts, { program = parts.command.program, check }: UpgradeRequest, progress: UpgradeProgress,
): Promise<Candidate> {
  const { api, log, command, environment, places } = parts
  log.info({ program, build: buildText(buildOf(program)) }, check ? 'a new process is tried' : 'an upgrade begins')
  await alive(api)
  progress({ step: 'the new process starts' })
  const successor = await SuccessorProcess.start({ ...command, program }, environment())
  try {
    const { dialogue } = successor
    const { version, build, pid } = await dialogue.hear('here', START_MS)
    progress({ step: 'it reads the journals' })
    dialogue.say({ say: 'rehearse', queues: workingQueues(api), places: places() })
    const { refusals } = await dialogue.hear('rehearsed', REHEARSAL_MS)
    if (refusals.length > 0) throw refused(refusals, buildText({ version, build }))
    if (!check) {
      progress({ step: 'it warms up' })
      await dialogue.hear('warm', WARM_MS)
      dialogue.say({ say: 'ready?' })
      await dialogue.hear('ready', READY_MS)
    }
    return { process: successor, identity: { version, build, pid } }
  } catch (error) {
    await successor.end(END_MS)
    throw error
  }
}

/** It is not needed any more. */
export function dismiss({ process }: Candidate): Promise<void> {
  return process.end(END_MS)
}

const SHOWN_MAX = 8

function refused(refusals: readonly Refusal[], who: string): XbbdError {
  const all = refusals.map(({ queue, sentence }) => (queue === undefined ? sentence : `${queue}: ${sentence}`))
  const more = all.length > SHOWN_MAX ? `; and ${all.length - SHOWN_MAX} more` : ''
  const sentence = `xbbd ${who} cannot take over, and everything stays as it is: ${all.slice(0, SHOWN_MAX).join('; ')}`
  return new XbbdError('XBBD_UPGRADE_REFUSED', `${sentence}${more}`, { exitCode: 65 })
}

/** Threads that hang could not let go. */
async function alive(api: DaemonApi): Promise<void> {
  let late: NodeJS.Timeout | undefined
  const hangs = new Promise<boolean>((resolve) => void (late = setTimeout(() => resolve(true), READY_MS)))
  const hung = await Promise.race([api.alive().then(() => false), hangs])
  clearTimeout(late)
  if (!hung) return
  const sentence = 'a Worker of this daemon does not answer, so it could not let go: `xbbd explain` may say why'
  throw new XbbdError('XBBD_UPGRADE_HANGS', sentence, { exitCode: 75 })
}
