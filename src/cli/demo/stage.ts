/**
 * @packageDocumentation
 * A host and a daemon of one's own, as processes in a folder of one's own: what the demo shows and `redrive` sends
 * requests to. Whatever happens, none of them outlives the stage.
 *
 *   DIR/host   sockets of the pocket host        DIR/run   the daemon's run.dir, its journal below it
 */
import { closeSync, ftruncateSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { XbbdError, sentenceOf } from '../../protocol/errors.js'
import { ControlClient } from '../control/client.js'
import { Child } from './processes.js'

export class Stage {
  readonly dir: string
  readonly children: Child[] = []
  private readonly tell: (sentence: string) => void

  constructor(dir: string, tell: (sentence: string) => void) {
    this.dir = dir
    this.tell = tell
  }

  get hostDir(): string {
    return join(this.dir, 'host')
  }

  get journalDir(): string {
    return join(this.dir, 'run/journal')
  }

  async startHost(): Promise<void> {
    const host = this.add(new Child('embedded host', 'cli/main.js', ['host', '--dir', this.hostDir]))
    await host.until(() => host.said.includes('is ready'))
    this.tell(`embedded host: grants, event channels and XenStore in ${this.hostDir} (pid ${host.process.pid})`)
  }

  /** `args`: settings as flags; `env`: what is planted. */
  async startDaemon(
    args: readonly string[] = [], env: NodeJS.ProcessEnv = {},
  ): Promise<{ daemon: Child; control: ControlClient }> {
    const run = join(this.dir, 'run')
    const where = ['--run-dir', run, '--world', 'embedded', '--host-dir', this.hostDir, '--config', '/dev/null']
    const daemon = this.add(new Child('daemon', 'cli/main.js', ['run', ...where, ...args], env))
    await daemon.until(() => daemon.said.includes('"ready"'))
    this.tell(`daemon: serves backend/vbd (pid ${daemon.process.pid})`)
    return { daemon, control: await ControlClient.connect(join(run, 'control')) }
  }

  add<C extends Child>(child: C): C {
    this.children.push(child)
    return child
  }

  /** Ends all that still run. */
  async end(): Promise<void> {
    await Promise.all(this.children.map((child) => child.end('SIGKILL')))
  }
}

/** A new, empty image. @throws XbbdError 73 when it cannot be made, or is there. */
export function makeImage(path: string, bytes: number, overwrite = false): void {
  try {
    const file = openSync(path, overwrite ? 'w' : 'wx', 0o600)
    ftruncateSync(file, bytes)
    closeSync(file)
  } catch (cause) {
    const sentence = `cannot make the image ${path}: ${sentenceOf(cause)}`
    throw new XbbdError('XBBD_IMAGE', sentence, { cause, exitCode: 73 })
  }
}
