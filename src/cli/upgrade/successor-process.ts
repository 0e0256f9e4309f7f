/**
 * @packageDocumentation
 * Starts the process that is to succeed this one: the same command line, user, rights and limits, because it is a child
 * of ours; the program may be another. It inherits one end of the dialogue as descriptor 3, and is named in its
 * environment that it succeeds somebody.
 *
 *   daemon ── sh ── successor         sh ends at once, and prints the number of the process that it leaves
 *
 * A process that is nobody's child is adopted by init; so it survives us like any service, and a service manager that
 * is told of it (MAINPID=) finds its own child.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { XbbdError } from '../../protocol/errors.js'
import { Dialogue } from './dialogue.js'

/** How the daemon's own process was started; `program` may be another's path. */
export interface ProgramCommand {
  readonly interpreter: string
  /** Of the interpreter. */
  readonly flags: readonly string[]
  readonly program: string
  readonly args: readonly string[]
}

/** In the environment of a successor: the descriptor on which its predecessor speaks. */
export const SUCCEEDING = 'XBBD_SUCCEEDING'
const DIALOGUE = 3

const SCRIPT = '"$@" >&4 4>&- & echo $!'

export class SuccessorProcess {
  readonly pid: number
  readonly dialogue: Dialogue

  private constructor(pid: number, dialogue: Dialogue) {
    this.pid = pid
    this.dialogue = dialogue
  }

  /** Rejects with XbbdError 71 when no process can be started. */
  static async start(
    { interpreter, flags, program, args }: ProgramCommand, environment: NodeJS.ProcessEnv,
  ): Promise<SuccessorProcess> {
    const line = [interpreter, ...flags, program, ...args]
    const env = { ...environment, [SUCCEEDING]: `${DIALOGUE}` }
    const shell = spawn('/bin/sh', ['-c', SCRIPT, 'sh', ...line], { env, stdio: ['ignore', 'pipe', 2, 'pipe', 1] })
    const dialogue = new Dialogue(shell.stdio[DIALOGUE] as Duplex as Socket)
    const pid = Number(await printed(shell))
    if (!Number.isInteger(pid) || pid <= 1) {
      dialogue.end()
      throw new XbbdError('XBBD_UPGRADE_START', 'no process could be started by /bin/sh', { exitCode: 71 })
    }
    return new SuccessorProcess(pid, dialogue)
  }

  /** While it has not ended; afterwards its number may be another's. */
  signal(name: NodeJS.Signals): void {
    try {
      process.kill(this.pid, name)
    } catch {
      // It has ended: that is heard on the dialogue.
    }
  }

  /** It is not wanted any more: asked to end, and ended if it does not listen. */
  async end(patienceMs: number): Promise<void> {
    this.dialogue.end()
    const late = setTimeout(() => this.signal('SIGKILL'), patienceMs)
    await this.dialogue.ended
    clearTimeout(late)
  }
}

/** What the shell wrote; empty when it could not be started. */
function printed(shell: ChildProcess): Promise<string> {
  let text = ''
  shell.stdout?.on('data', (chunk) => (text += String(chunk)))
  return new Promise((resolve) => {
    shell.once('error', () => resolve(''))
    shell.stdout?.once('end', () => resolve(text.trim()))
  })
}
