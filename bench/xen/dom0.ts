/**
 * @packageDocumentation
 * The end of `npm run bench:xen` in dom0: back end after back end, round after round, in one boot. Each serves the same
 * file on tmpfs to a guest of its own, whose fio runs the six jobs twice: once unmeasured, because a program that
 * compiles itself while it runs must be warm, and once for the figures. Counts per request stand beside every figure,
 * because the emulator has no truth about time.
 *
 *   start back end ─► guest ─► warm-up ─► job: counters before, fio, counters after ─► system calls, a pass of its own
 */
import { openSync, readFileSync, writeSync } from 'node:fs'
import { execute, pause, succeed, until } from '../../test/xen/dom0/execute.js'
import type { Guest } from '../../test/xen/dom0/guest.js'
import { applyUdevRules, makeUser } from '../../test/xen/dom0/privileges.js'
import { Toolbox } from '../../test/xen/dom0/toolbox.js'
import { BACKENDS, JOBS, type Backend, type Job, type Plan, type Told } from './measure.js'

const IMAGE_BYTES = 256 << 20
const TRACE_SECONDS = 2

const plan = JSON.parse(readFileSync('/project/plan.json', 'utf8')) as Plan
const tell = (told: Told) => void writeSync(1, `${JSON.stringify(told)}\n`)
const say = (text: string) => tell({ event: 'say', text })

/** Everything that is counted around a job. */
interface Counts {
  readonly requests: number
  readonly guestInterrupts: number
  readonly backendEvents: number
  readonly contextSwitches: number
  readonly counters: Readonly<Record<string, number>>
}

/** Sums of the interrupt lines whose name matches. */
function interrupts(text: string, name: RegExp): number {
  const lines = text.split('\n').filter((line) => name.test(line))
  const counts = lines.flatMap((line) => line.trim().split(/\s+/).slice(1).filter((word) => /^\d+$/.test(word)))
  return counts.reduce((sum, word) => sum + Number(word), 0)
}

async function countsOf(t: Toolbox, guest: Guest, backend: Backend): Promise<Counts> {
  const stat = (await guest.succeed('cat /sys/block/xvda/stat')).trim().split(/\s+/).map(Number)
  const inGuest = await guest.succeed('cat /proc/interrupts')
  const ours = backend.startsWith('xbbd') ? (await t.daemon.statistics(guest.domid, 'xvda')).counters : {}
  return {
    // Fields of Documentation/block/stat: reads completed, writes completed, flushes completed.
    requests: stat[0] + stat[4] + (stat[15] ?? 0),
    guestInterrupts: interrupts(inGuest, /blkif/),
    backendEvents: interrupts(readFileSync('/proc/interrupts', 'utf8'), /evtchn:|blkif|vbd/),
    contextSwitches: Number(/^ctxt (\d+)/m.exec(readFileSync('/proc/stat', 'utf8'))?.[1]),
    counters: ours,
  }
}

const COUNTED = ['batches', 'notifications', 'wakeUps', 'copyCalls', 'submitCalls']

function between(before: Counts, after: Counts): Counts {
  return {
    requests: after.requests - before.requests,
    guestInterrupts: after.guestInterrupts - before.guestInterrupts,
    backendEvents: after.backendEvents - before.backendEvents,
    contextSwitches: after.contextSwitches - before.contextSwitches,
    counters: Object.fromEntries(
      COUNTED.flatMap((name) =>
        after.counters[name] === undefined ? [] : [[name, after.counters[name] - (before.counters[name] ?? 0)]],
      ),
    ),
  }
}

async function measure(t: Toolbox, guest: Guest, backend: Backend, job: Job, round: number): Promise<void> {
  const before = await countsOf(t, guest, backend)
  const line = await guest.succeed(`fio-baseline /dev/xvda ${plan.seconds} ${job}`, 120_000)
  const after = await countsOf(t, guest, backend)
  const figures = /(\d+) IOPS\s+([\d.]+) MiB\/s\s+(\d+) us/.exec(line)
  if (!figures) throw new Error(`fio said nothing of ${job}: ${line}`)
  const [iops, mibPerSecond, meanUs] = figures.slice(1).map(Number)
  tell({ event: 'measured', round, backend, job, iops, mibPerSecond, meanUs, ...between(before, after) })
}

/** System calls of a process and its threads while a job runs. */
async function trace(guest: Guest, backend: Backend, job: Job, pid: number): Promise<void> {
  const requests = async () => {
    const stat = (await guest.succeed('cat /sys/block/xvda/stat')).trim().split(/\s+/).map(Number)
    return stat[0] + stat[4]
  }
  const load = await guest.job(`fio-baseline /dev/xvda ${TRACE_SECONDS + 4} ${job}`)
  await pause(1500)
  const before = await requests()
  await execute('timeout', ['-s', 'INT', String(TRACE_SECONDS), 'strace', '-f', '-c', '-p', String(pid), '-o', '/tmp/calls'])
  const made = (await requests()) - before
  const rows = readFileSync('/tmp/calls', 'utf8').matchAll(/^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$/gm)
  const counted = [...rows].map(([, count, name]) => [name, Number(count)] as const)
  const calls = Object.fromEntries(counted.filter(([name]) => name !== 'total'))
  tell({ event: 'calls', backend, job, requests: made, calls })
  await load.wait()
}

/** Starts a back end. @returns the disk as xl writes it. */
async function start(t: Toolbox, backend: Backend, image: string): Promise<string> {
  // xl takes all that follows `target=` for the name.
  if (backend === 'qdisk') return `format=raw,vdev=xvda,access=rw,backendtype=qdisk,target=${image}`
  if (backend === 'xen-blkback') {
    await succeed('modprobe', ['xen-blkback'])
    return `format=raw,vdev=xvda,access=rw,target=${image}`
  }
  t.daemon.configure({ 'grants.mode': backend === 'xbbd' ? 'copy' : 'persistent' })
  await t.daemon.start()
  return t.disk('xvda', image)
}

/** The process whose system calls are counted; 0 for the kernel. */
async function processOf(t: Toolbox, backend: Backend, guest: Guest): Promise<number> {
  if (backend === 'xen-blkback') return 0
  if (backend !== 'qdisk') return t.daemon.pid
  return Number(await t.store.read(`/local/domain/${guest.domid}/image/device-model-pid`))
}

async function end(t: Toolbox, backend: Backend): Promise<void> {
  if (backend === 'xen-blkback') {
    const gone = async () => (await execute('rmmod', ['xen_blkback'])).status === 0
    await until('xen-blkback can be removed', gone, 20_000, 500)
  } else if (backend !== 'qdisk') await t.daemon.stop()
}

async function run(t: Toolbox, backend: Backend, image: string, round: number): Promise<void> {
  say(`round ${round}: ${backend}`)
  const disk = await start(t, backend, image)
  const guest = await t.guest({ disks: [disk], fio: true, mem: 512 })
  await guest.succeed(`fio-baseline /dev/xvda ${plan.warmSeconds}`, 240_000)
  for (const job of JOBS) await measure(t, guest, backend, job, round)
  const traced = round === 1 ? await processOf(t, backend, guest) : 0
  if (traced > 0) for (const job of JOBS) await trace(guest, backend, job, traced)
  await guest.destroy()
  await until(`the disk of ${guest.name} is gone`, async () => (await t.sh(`xl list ${guest.name}`)).status !== 0)
  await end(t, backend)
}

makeUser()
applyUdevRules()
const t = await Toolbox.open(false, say)
const image = t.image('bench', IMAGE_BYTES)
const file = openSync(image, 'r+')
const random = Buffer.alloc(1 << 20)
for (let at = 0; at < IMAGE_BYTES; at += random.length) {
  for (let word = 0; word < random.length; word += 4) random.writeUInt32LE(((at + word) * 2654435761) >>> 0, word)
  writeSync(file, random, 0, random.length, at)
}
const backends = BACKENDS.filter((backend) => plan.only.includes(backend))
for (let round = 1; round <= plan.rounds; round++)
  for (const backend of backends) await run(t, backend, image, round)
for (const wrong of (await t.close('/project/out')).wrong) say(wrong)
tell({ event: 'done' })
process.exit(0)
