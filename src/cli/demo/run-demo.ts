/**
 * @packageDocumentation
 * The main job, shown: a guest's disk from image to replay, in three processes on this machine, without Xen.
 *
 *   image ─ host ─ daemon ─ guest ─ attach ─ connect ─ three loads ─ NBD client ─ compare ─ close ─ stop ─ replay
 *
 * It succeeds only if every byte and every transition agreed. A fault planted on purpose must be found, with a sentence
 * that says who found it; then the demo ends with 1, as it would for a real one.
 */
import { createHash } from 'node:crypto'
import { createReadStream, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { WorkloadFigures } from '../../embedded/workload.js'
import { openJournals } from '../../journal/journal-files.js'
import { replayJournals } from '../../journal/replay.js'
import { XbbdError, sentenceOf } from '../../protocol/errors.js'
import type { ControlClient } from '../control/client.js'
import { forwarding } from '../page/forward.js'
import { listenForPage, newToken } from '../page/http.js'
import type { Terminal } from '../terminal.js'
import { formatBytes, formatCount } from '../units.js'
import { runNbdClient } from './nbd-client.js'
import { FrontChild } from './processes.js'
import type { Child, FrontEvent } from './processes.js'
import { Stage, makeImage } from './stage.js'

export type DemoBreak = 'read' | 'answer' | 'journal'

export interface DemoOptions {
  readonly break?: DemoBreak
  /** Stay up and serve the disk at this path until a signal comes. */
  readonly nbd?: string
  /** Stay at work and show the daemon's page until a signal comes. */
  readonly page?: boolean
  /** Keep image, whole journal and the daemon's statistics in this new folder. */
  readonly record?: string
  /** Seconds of each of the three loads. */
  readonly seconds: number
  readonly imageBytes: number
}

const VDEV = 'xvda'
const DEPTHS = [1, 32, 128] as const

/** @returns the findings: empty when everything agreed. */
export async function runDemo(options: DemoOptions, terminal: Terminal): Promise<readonly string[]> {
  const dir = options.record === undefined ? mkdtempSync(join(tmpdir(), 'xbbd-demo-')) : newFolder(options.record)
  const stage = new Stage(dir, (sentence) => terminal.out(`${sentence}\n`))
  const demo = new Demo(options, terminal, stage)
  const interrupt = () => demo.interrupt()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, interrupt)
  try {
    return await demo.run()
  } finally {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.off(signal, interrupt)
    await stage.end()
    if (options.record === undefined) rmSync(dir, { recursive: true, force: true })
  }
}

class Demo {
  private readonly options: DemoOptions
  private readonly terminal: Terminal
  private readonly stage: Stage
  private readonly image: string
  private readonly findings: string[] = []
  /** What a signal does: it ends the serving when there is one, otherwise everything. */
  private onSignal = () => this.stage.children.forEach((child) => void child.end('SIGKILL'))

  constructor(options: DemoOptions, terminal: Terminal, stage: Stage) {
    this.options = options
    this.terminal = terminal
    this.stage = stage
    this.image = join(stage.dir, 'disk.img')
  }

  async run(): Promise<readonly string[]> {
    const { image, stage, options } = this
    makeImage(image, options.imageBytes)
    this.tell(`a disk image of ${formatBytes(options.imageBytes)}: ${image}`)
    await stage.startHost()
    const journal = options.record === undefined ? [] : ['--journal-size', `${journalMiB(options.seconds)}M`]
    const { daemon, control } = await stage.startDaemon(journal, { XBBD_PLANT: options.break ?? '' })
    const front = stage.add(new FrontChild(stage.hostDir))
    const { domid } = await front.expect('domain')
    this.tell(`front end: guest ${String(domid)} of the embedded host, a process of its own (pid ${front.process.pid})`)
    await control.call('attach', { domid, vdev: VDEV, target: image, mode: 'w' })
    const connected = await front.ask({ do: 'connect' }, 'connected')
    this.tell(`attached as ${VDEV}: connected over a ring of ${String(connected.ringPages)} pages`)
    if (options.nbd !== undefined) await this.serve(front, options.nbd)
    else if (options.page) await this.show(front)
    else await this.work(front)
    await front.ask({ do: 'close' }, 'closed')
    if (options.record !== undefined) {
      const statistics: unknown = await control.call('statistics')
      writeFileSync(join(stage.dir, 'statistics.json'), `${JSON.stringify(statistics, undefined, 2)}\n`)
    }
    await control.call('detach', { domid, vdev: VDEV })
    this.tell('detached: drained and closed, nothing mapped')
    await this.stop(control, daemon)
    this.replay()
    if (options.record !== undefined) this.tellRecord(options.record)
    return this.findings
  }

  /** SIGINT or SIGTERM. */
  interrupt(): void {
    this.onSignal()
  }

  private tell(sentence: string): void {
    this.terminal.out(`${sentence}\n`)
  }

  private async work(front: FrontChild): Promise<void> {
    for (const depth of DEPTHS) await this.load(front, depth)
    // What an NBD client writes stands in no journal: a recording that can be driven again does without.
    if (this.options.record === undefined) await this.tryNbdClient(front)
    const { sha256 } = await front.ask({ do: 'digest' }, 'digest')
    if (sha256 === (await digestOfFile(this.image))) this.tell('image: every byte is what the guest sees')
    else this.findings.push('the image differs from what the guest reads')
  }

  private async load(front: FrontChild, depth: number): Promise<void> {
    front.onProgress = (figures) => this.terminal.status(`depth ${depth}: ${figuresOf(figures)}`)
    const mix = { read: 50, write: 45, flush: 4, trim: 1 }
    const command = { do: 'load', seed: depth, depth, durationMs: this.options.seconds * 1000, mix }
    const result = await front.ask(command, 'loaded')
    this.terminal.status('')
    this.tell(`depth ${String(depth).padStart(3)}: ${figuresOf(result)}`)
    if (result.ok === true) return
    const finding = typeof result.finding === 'string' ? result.finding : `${String(result.errors)} calls failed`
    this.findings.push(`the guest found a fault at depth ${depth}: ${finding}`)
  }

  private async tryNbdClient(front: FrontChild): Promise<void> {
    const socket = join(this.stage.dir, 'nbd')
    await front.ask({ do: 'nbd', path: socket }, 'nbd')
    const outcome = await runNbdClient(socket)
    if (outcome === undefined)
      return this.tell('NBD client: none of qemu-io, fio, nbdcopy is installed; install qemu-utils to see one')
    if (outcome.status === 0) return this.tell(`NBD client: ${outcome.program} read back what it had written`)
    this.findings.push(`${outcome.program} ended with ${outcome.status}: ${outcome.output.split('\n').pop()}`)
  }

  /** `--nbd`: any NBD client may be the guest now, until a signal comes. */
  private async serve(front: FrontChild, path: string): Promise<void> {
    const { uri } = await front.ask({ do: 'nbd', path }, 'nbd')
    this.tell(`the guest's disk is at ${String(uri)}; for example:`)
    this.tell(`  nbdinfo '${String(uri)}'`)
    this.tell(`  qemu-io -f raw -c 'write -P 1 0 1M' -c 'read -P 1 0 1M' '${String(uri)}'`)
    this.tell(`  fio --name=x --ioengine=nbd --uri='${String(uri)}' --rw=randrw --size=64m --verify=crc32c`)
    this.tell('Ctrl-C ends it')
    const killAll = this.onSignal
    await new Promise<void>((resolve) => void (this.onSignal = resolve))
    this.onSignal = killAll
  }

  /** `--page`: the loads turn by turn, and the page over them, until a signal comes. */
  private async show(front: FrontChild): Promise<void> {
    const token = newToken()
    const handler = forwarding(join(this.stage.dir, 'run/control'), token)
    const page = await listenForPage('127.0.0.1:0', token, handler, '--page')
    this.tell('the page, for a browser of this machine:')
    this.tell(`  ${page.url}`)
    this.tell('Ctrl-C ends it')
    const killAll = this.onSignal
    let isOver = false
    this.onSignal = () => void (isOver = true)
    for (let turn = 0; !isOver && this.findings.length === 0; turn++)
      await this.load(front, DEPTHS[turn % DEPTHS.length])
    this.onSignal = killAll
    await page.close()
  }

  private tellRecord(dir: string): void {
    this.tell(`recorded: ${this.stage.journalDir} and ${this.image}; for example:`)
    this.tell(`  xbbd replay ${this.stage.journalDir} --step`)
    const again = join(dir, 'again.img')
    this.tell(`  xbbd redrive ${this.stage.journalDir} --onto ${again} && cmp ${this.image} ${again}`)
  }

  private async stop(control: ControlClient, daemon: Child): Promise<void> {
    await control.call('stop', { mode: 'close' })
    const status = await daemon.ended
    if (status === 0) this.tell('daemon: stopped with status 0')
    else this.findings.push(`the daemon ended with status ${status}: ${daemon.said.split('\n').pop()}`)
  }

  private replay(): void {
    const { journals, problems } = replayJournals(openJournals(this.stage.journalDir))
    for (const { journal, batches, requests, steps, agrees, ...replay } of journals) {
      const what = requests === undefined ? `${formatCount(steps)} events` : `${formatCount(requests)} requests`
      if (agrees) this.tell(`replay of ${journal}: ${formatCount(batches)} batches, ${what}: agrees`)
      const faults = agrees ? [] : [...replay.damage, ...replay.divergences.map(({ sentence }) => sentence)]
      for (const fault of faults.slice(0, 3)) this.findings.push(`the replay of ${journal} found: ${fault}`)
    }
    for (const problem of problems) this.findings.push(`a journal cannot be read: ${problem}`)
    if (journals.length === 0) this.findings.push('there is no journal to replay')
  }
}

/** Journal of three loads that keeps everything, in MiB: above what the fastest disk was seen to fill. */
function journalMiB(seconds: number): number {
  return Math.ceil(16 + 40 * seconds)
}

/** @throws XbbdError 73 when it is there already. */
function newFolder(path: string): string {
  try {
    mkdirSync(path)
    return path
  } catch (cause) {
    const sentence = `cannot make the folder ${path} for the recording: ${sentenceOf(cause)}; name a new one`
    throw new XbbdError('XBBD_DEMO', sentence, { cause, exitCode: 73 })
  }
}

async function digestOfFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

/** IOPS, bandwidth and latency percentiles of a load, in one line. */
function figuresOf(event: FrontEvent): string {
  const { iops, bytesPerSecond, latencyUs } = event as unknown as WorkloadFigures
  const latency = [latencyUs.p50, latencyUs.p99, latencyUs.p999].map((us) => Math.round(us)).join(' / ')
  return `${formatCount(Math.round(iops))} IOPS, ${formatBytes(bytesPerSecond)}/s, p50/p99/p99.9 ${latency} µs`
}
