/**
 * @packageDocumentation
 * Bench (h): what an honest front end keeps beside a hostile one. The real processes, `xbbd host` and `xbbd run`, with a
 * guest each for the two; the honest one reads at random, 32 requests in flight, alone and then beside an attack
 * (hostile-process.ts), round by round, so that each ratio is of one run. Nobody is kept on a processor: what the
 * attacker's own processor time takes from the others is part of the figure.
 */
import { fork } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { ControlClient } from '../src/cli/control/client.js'
import { Child } from '../src/cli/demo/processes.js'
import { formatCount, formatNanoseconds } from '../src/cli/units.js'
import type { LoadPlan, LoadResult } from '../src/embedded/front-load.js'
import { guestXenStoreSocket } from '../src/embedded/host/wire.js'
import { connectXenStore } from '../src/io/xenstore/client.js'
import { BLKIF_OP_READ } from '../src/protocol/blkif.js'
import { frontendPath } from '../src/protocol/keys.js'
import { connectFront } from './connect-front.js'
import { Front } from './front.js'
import type { Attack, HostileReply, HostileRequest } from './hostile-process.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const DEVID = 51712
const DEPTH = 32
const DISK_MIB = 64
const SECTORS = DISK_MIB * 2048
/** The attack has begun, and everybody is used to it, when the honest one is measured. */
const LEAD_MS = 300

const ATTACKS: readonly { readonly attack: Attack; readonly what: string }[] = [
  { attack: 'ring', what: 'hostile entries' },
  { attack: 'greed', what: 'reads of 44 KiB' },
  { attack: 'storm', what: 'event storm' },
  { attack: 'flood', what: 'XenStore flood' },
]

interface Round {
  readonly alone: LoadResult
  readonly beside: LoadResult
  /** Entries, kicks or writes of the attacker, a second. */
  readonly attackRate: number
}

interface Stage {
  readonly front: Front
  readonly hostile: ChildProcess
}

const perSecond = ({ requests, wallNs }: LoadResult) => (requests * 1e9) / wallNs

export async function hostileSection(pace: Pace, say: Say): Promise<Section> {
  const rows = await withStage(async (stage) => {
    const measured = []
    for (const { attack, what } of ATTACKS) {
      say(`an honest front end beside a hostile one: ${what}`)
      const rounds: Round[] = []
      for (let round = 0; round < pace.rounds; round++) rounds.push(await measure(stage, attack, pace))
      const of = (value: (round: Round) => number) => median(rounds.map(value))
      measured.push({
        attack, what,
        alonePerSecond: of(({ alone }) => perSecond(alone)),
        besidePerSecond: of(({ beside }) => perSecond(beside)),
        ratio: of(({ alone, beside }) => perSecond(beside) / perSecond(alone)),
        aloneP99Ns: of(({ alone }) => alone.p99Ns),
        besideP99Ns: of(({ beside }) => beside.p99Ns),
        attacksPerSecond: of(({ attackRate }) => attackRate),
        errors: rounds.reduce((sum, { alone, beside }) => sum + alone.errors + beside.errors, 0),
      })
    }
    return measured
  })
  return {
    name: 'h',
    title: `an honest front end beside a hostile one, random reads of 4 KiB, ${DEPTH} in flight; ${cpus().length} processors for all`,
    columns: columns('|attack', 'a second', 'alone', 'beside it', 'ratio', 'p99 alone', 'p99 beside', 'errors'),
    table: rows.map((row) => [
      row.what, formatCount(row.attacksPerSecond), formatCount(row.alonePerSecond), formatCount(row.besidePerSecond),
      row.ratio.toFixed(2), formatNanoseconds(row.aloneP99Ns), formatNanoseconds(row.besideP99Ns), String(row.errors),
    ]),
    notes: [
      'Ratio: requests per second beside the attack, to those alone in the same round; asked for: above 0.4, no errors.',
      'Processes: host with XenStore, daemon with one Worker, honest front end, attacker. Nobody is kept on a processor.',
    ],
    rows,
  }
}

async function measure({ front, hostile }: Stage, attack: Attack, pace: Pace): Promise<Round> {
  const plan: LoadPlan = { depth: DEPTH, op: BLKIF_OP_READ, segments: 1, sectors: SECTORS, random: true, seed: 1 }
  await front.run(plan, { milliseconds: pace.warmUpMs, sleep: true })
  const alone = await front.run(plan, { milliseconds: pace.measureMs, sleep: true })
  const milliseconds = pace.measureMs + 2 * LEAD_MS
  const attacked = ask(hostile, { kind: 'attack', attack, milliseconds })
  await new Promise((resolve) => setTimeout(resolve, LEAD_MS))
  const beside = await front.run(plan, { milliseconds: pace.measureMs, sleep: true })
  const { count } = await attacked
  return { alone, beside, attackRate: (count * 1000) / milliseconds }
}

async function withStage<T>(use: (stage: Stage) => Promise<T>): Promise<T> {
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-bench-'))
  const runDir = mkdtempSync('/dev/shm/xbbd-bench-')
  const hostDir = join(dir, 'host')
  const host = new Child('embedded host', 'cli/main.js', ['host', '--dir', hostDir])
  const children = [host]
  const hostile = fork(new URL('./hostile-process.js', import.meta.url))
  let front: Front | undefined
  try {
    await host.until(() => host.said.includes('is ready'))
    const args = ['run', '--run-dir', runDir, '--host-dir', hostDir, '--config', '/dev/null', '--workers', '1']
    const daemon = new Child('daemon', 'cli/main.js', args)
    children.unshift(daemon)
    await daemon.until(() => daemon.said.includes('"ready"'))
    const control = await ControlClient.connect(join(runDir, 'control'))
    front = await Front.start({ dir: hostDir, ringPages: 1, depth: DEPTH, segments: 1, pinned: false })
    const { domid } = front.address
    const attach = (guest: number) => control.call('attach', { domid: guest, vdev: 'xvda', target: `memory:${DISK_MIB}M`, mode: 'w' })
    await attach(domid)
    const store = await connectXenStore(join(hostDir, guestXenStoreSocket(domid)))
    await connectFront(store, frontendPath(domid, DEVID), front.address)
    const { domid: hostileDomid } = await ask(hostile, { kind: 'create', dir: hostDir })
    await attach(hostileDomid)
    await ask(hostile, { kind: 'connect', devid: DEVID, sectors: SECTORS })
    return await use({ front, hostile })
  } finally {
    hostile.kill('SIGKILL')
    await front?.close()
    for (const child of children) await child.end('SIGKILL')
    rmSync(dir, { recursive: true, force: true })
    rmSync(runDir, { recursive: true, force: true })
  }
}

function ask(child: ChildProcess, request: HostileRequest): Promise<Extract<HostileReply, { kind: 'done' }>> {
  return new Promise((resolve, reject) => {
    const ended = () => reject(new Error('the hostile front end has died'))
    child.once('exit', ended)
    child.once('message', (reply: HostileReply) => {
      child.off('exit', ended)
      if (reply.kind === 'failed') reject(new Error(reply.sentence))
      else resolve(reply)
    })
    child.send(request)
  })
}
