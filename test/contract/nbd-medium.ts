/**
 * @packageDocumentation
 * An NBD export as a medium to be judged: opened as the daemon opens it, its connection driven by the very actor that
 * drives it there, with an in-memory journal. Servers are started and killed by the tests.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, rmSync } from 'node:fs'
import { createConnection } from 'node:net'
import { ConnectionActor } from '../../src/actors/connection-actor.js'
import { mediumOpener } from '../../src/io/media/open-medium.js'
import { createOpenMediumPort } from '../../src/io/media/open-port.js'
import { DEFAULT_NBD_CARE } from '../../src/io/media/nbd/open-nbd.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import type { MediumPort } from '../../src/ports/data-path.js'
import type { Medium, MediumLayer, NbdCare } from '../../src/ports/medium.js'
import { plainArena, type MediumUnderTest } from './medium-driver.js'

export interface NbdUnderTest extends MediumUnderTest {
  readonly actor: ConnectionActor
  readonly medium: Medium
  /** What the connection's chart told the medium. */
  readonly told: string[]
  /** Every input of the chart, in order. */
  readonly inputs: string[]
}

export interface NbdOptions {
  readonly readOnly?: boolean
  readonly care?: Partial<NbdCare>
  readonly inherited?: boolean
  readonly layers?: readonly MediumLayer[]
  readonly depth?: number
}

/** Opens `uri`; throws the sentence when it cannot be. */
export async function openNbd(uri: string, options: NbdOptions = {}): Promise<NbdUnderTest> {
  const care = { ...DEFAULT_NBD_CARE, ...options.care }
  const { readOnly = false, layers, depth } = options
  const spec = { target: uri, readOnly, nbd: care, ...(layers && { layers }), ...(depth && { depth }) }
  const opened = await mediumOpener.openLater?.(spec)
  if (opened === undefined || !opened.ok) throw new Error(opened?.error.sentence ?? `${uri} is no NBD target`)
  const { medium } = opened
  const arena = plainArena()
  const port = createOpenMediumPort(systemClock)(medium.plan, arena)
  return { port, arena, geometry: medium.geometry, medium, ...connected(port, medium, care, options.inherited ?? false) }
}

function connected(port: MediumPort, medium: Medium, care: NbdCare, inherited: boolean) {
  const told: string[] = []
  const inputs: string[] = []
  const actor = new ConnectionActor({
    care, inherited, clock: systemClock,
    journal: { input: (event) => void inputs.push((event as { type: string }).type), state: () => undefined },
    order: (order) => port.connection?.order(order),
    tell: (effect) => void told.push('sentence' in effect ? `${effect.type}: ${effect.sentence}` : effect.type),
    crashed: (sentence) => {
      throw new Error(`the connection's chart crashed: ${sentence}`)
    },
  })
  port.connection?.onReport((report) => actor.heard(report))
  actor.start()
  const dispose = () => {
    actor.end()
    medium.close()
  }
  return { told, inputs, actor, dispose }
}

/** A server as a process of its own that can be killed and started again on the same socket. */
export class ServerProcess {
  readonly socket: string
  private readonly command: readonly string[]
  private child: ChildProcess | undefined
  private said = ''

  constructor(socket: string, command: readonly string[]) {
    this.socket = socket
    this.command = command
  }

  /** Resolves when it listens. */
  async start(): Promise<this> {
    rmSync(this.socket, { force: true })
    const [program, ...args] = this.command
    const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'] })
    child.stderr.on('data', (chunk) => (this.said += String(chunk)))
    this.child = child
    for (let tries = 0; !(await this.answers()); tries++) {
      if (child.exitCode !== null || tries > 1000) throw new Error(`${program} does not listen: ${this.said}`)
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    return this
  }

  /** The name of a socket is there before anybody listens. */
  private async answers(): Promise<boolean> {
    if (!existsSync(this.socket)) return false
    const socket = createConnection(this.socket)
    const reached = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    })
    socket.destroy()
    return reached
  }

  /** SIGKILL, unless told otherwise; resolves when it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const { child } = this
    this.child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }
}
