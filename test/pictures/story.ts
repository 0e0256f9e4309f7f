/**
 * @packageDocumentation
 * A morning on a small host, for pictures of the page: three guests with a disk each, real processes, planted delays.
 *
 *   guest 1   busy, on a fast disk with few slots: now and then it is short of them
 *   guest 2   a disk that takes 1.5 s for everything; it closes with its hands full
 *   guest 3   a disk that never answers
 *
 * Then the daemon is killed with requests in flight, and its successor goes on. What was shown live is asked for by
 * `act`; what comes after is in the journals.
 */
import type { Blkfront } from '../../src/embedded/blkfront/blkfront.js'
import { RealWorld, until, type DaemonProcess, type GuestHere } from '../support/processes.js'

const MIB = 1 << 20
const PLANT = 'delay=1500@vbd/2/51712,delay=600000@vbd/3/51712'
const FLAGS = ['--journal-size', '256M', '--requests-slots-max', '24', '--ring-max-page-order', '0']

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms))

export interface Act {
  readonly daemon: DaemonProcess
  /** `three disks`: the third is stuck. */
  readonly name: 'three disks'
}

/** Plays it. @returns the folder of the journals, which the world removes. */
export async function play(world: RealWorld, act: (act: Act) => Promise<void>): Promise<string> {
  const start = () => world.daemon({ flags: FLAGS, plant: PLANT, runDir: 'story' })
  let daemon = await start()
  const guests: GuestHere[] = []
  for (let count = 0; count < 3; count++) {
    const guest = await world.guest()
    guests.push(guest)
    await daemon.attach({ domid: guest.domid, target: world.image((count + 1) * 16 * MIB) })
  }
  const [busy, slow, stuck] = await Promise.all(guests.map((guest) => guest.connect()))
  const enough = new AbortController()
  const load = work(busy, enough.signal)
  const trickle = trickling(slow, enough.signal)
  void Promise.allSettled([stuck.read(0, 4096), stuck.write(32_768, Buffer.alloc(65_536)), stuck.flush()])
  await pause(8000)
  await act({ daemon, name: 'three disks' })
  void Promise.allSettled(Array.from({ length: 6 }, (_, at) => slow.write(at * 65_536, Buffer.alloc(49_152))))
  await pause(100)
  // It says Closed with its hands full, and the disk drains.
  await guests[1].store.write(`${guests[1].frontend()}/state`, '6')
  await pause(2500)
  void slow.close()
  daemon.signal('SIGKILL')
  await daemon.ended
  daemon = await start()
  await until('the busy disk is served again', async () => (await daemon.device(guests[0].domid))?.state.startsWith('Connected'))
  await pause(1500)
  enough.abort()
  await Promise.all([load, trickle])
  daemon.signal('SIGKILL')
  await daemon.ended
  return `${daemon.runDir}/journal`
}

/** Bursts of reads and writes, with a breath between them. */
async function work(front: Blkfront, signal: AbortSignal): Promise<void> {
  const data = Buffer.alloc(32_768, 7)
  for (let turn = 0; !signal.aborted; turn++) {
    const depth = 4 + Math.round(14 * (1 + Math.sin(turn / 40)))
    const offset = (at: number) => (((turn * 131 + at * 17) % 400) * 32_768)
    await Promise.all(Array.from({ length: depth }, (_, at) =>
      at % 3 === 0 ? front.write(offset(at), data) : front.read(offset(at), 4096 * (1 + (at % 8))),
    ))
    if (turn % 25 === 24) await front.flush()
    await pause(3)
  }
}

async function trickling(front: Blkfront, signal: AbortSignal): Promise<void> {
  for (let turn = 0; !signal.aborted; turn++) {
    const failed = await front.read((turn % 64) * 4096, 4096).then(() => false, () => true)
    if (failed) return // it has closed by now
    await pause(40)
  }
}
