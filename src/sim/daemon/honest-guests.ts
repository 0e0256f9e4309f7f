/**
 * @packageDocumentation
 * How well-behaved guests go about a disk, each in its own manner (PROTOCOL: states and life-cycle, quirks of front
 * ends). Each connects, works a while, and goes one of its ways: closes and comes back, hands over to the next, is
 * suspended and resumes, or stays; whatever the back end says meanwhile, it follows.
 *
 *   Linux    waits for InitWait · Initialised · Connected · several queues and pages · resumes on new rings
 *   Windows  as Linux, one queue, always its own protocol node
 *   OVMF     one page, polls, no Initialised but Connected at once; waits for Closing, Closed, InitWait; keys removed
 *   GRUB     one page, does not wait for InitWait; closes without waiting for anyone
 *   FreeBSD  one page or more, does not wait for InitWait
 */
import { mayEnd } from './device.js'
import type { FrontEnd, RingShape } from './front-end.js'

export const HONEST_GUESTS = ['linux', 'windows', 'ovmf', 'grub', 'freebsd'] as const
export type HonestGuest = (typeof HONEST_GUESTS)[number]

/** What a guest does when it has worked a while. */
type Way = 'close' | 'resume' | 'resumeAtOnce' | 'stay' | 'restart'

interface Manner {
  readonly shape: (front: FrontEnd) => RingShape
  /** It begins when the back end is in InitWait, and not before. */
  readonly waits: boolean
  /** Initialised before Connected. */
  readonly says3: boolean
  /** Removes its keys when it has closed. */
  readonly tidy: boolean
  readonly ways: readonly Way[]
}

const one: RingShape = { abi: 'x86_64', order: 0, queues: 1, indirect: 0, discards: false, polls: false }

const MANNERS: Readonly<Record<HonestGuest, Manner>> = {
  linux: {
    shape: ({ parts: { random } }) => ({
      ...one, order: random.below(3), queues: 1 + random.below(2), indirect: random.chance(0.5) ? 16 : 0,
      discards: true,
    }),
    waits: true, says3: true, tidy: false, ways: ['close', 'resume', 'resumeAtOnce', 'stay', 'restart'],
  },
  windows: {
    shape: ({ parts: { random } }) => ({ ...one, order: random.below(4), discards: true }),
    waits: true, says3: true, tidy: false, ways: ['close', 'stay'],
  },
  ovmf: {
    shape: () => ({ ...one, polls: true }), waits: true, says3: false, tidy: true, ways: ['close'],
  },
  grub: {
    shape: ({ parts: { random } }) => ({ ...one, abi: random.chance(0.5) ? 'x86_32' : 'x86_64', polls: true }),
    waits: false, says3: true, tidy: false, ways: ['close'],
  },
  freebsd: {
    shape: ({ parts: { random } }) => ({ ...one, order: random.below(2) }),
    waits: false, says3: true, tidy: false, ways: ['close', 'stay'],
  },
}

/** The whole life of an honest guest's driver; ends when its front end is told to finish. */
export async function liveHonestly(front: FrontEnd, guests: readonly HonestGuest[]): Promise<void> {
  await front.begin()
  while (!front.finishing) {
    // One guest hands over to the next: a boot loader to a kernel.
    for (const guest of guests) if (!front.finishing) await connection(front, MANNERS[guest])
  }
  front.ended = true
}

const closed = (front: FrontEnd) => front.backend === 0 || front.backend >= 5

async function connection(front: FrontEnd, manner: Manner): Promise<void> {
  const { device, random, kernel } = front.parts
  if (manner.waits) await front.until(() => front.backend === 2 || front.finishing, 'InitWait')
  else await front.until(() => front.backend === 1 || front.backend === 2 || front.finishing, 'a back end')
  if (front.finishing) return
  const life = device.lives
  await front.forgetKeys()
  await front.says(manner.says3 ? 3 : 4, front.makeRings(manner.shape(front)))
  const gone = () => (front.backend === 0 && !device.attached) || device.lives !== life
  await front.until(() => front.backend === 4 || front.backend >= 5 || gone(), 'Connected')
  if (front.is(4)) {
    if (manner.says3) await front.says(4)
    front.work()
    const way = random.pick(manner.ways)
    const workMs = 5 + random.below(way === 'stay' ? 3000 : 150)
    await front.until(() => front.finishing || closed(front), 'the end of its work', workMs)
    const goesOn = !closed(front) && !front.finishing
    if (goesOn && way === 'resume') await resume(front, manner)
    else if (goesOn && way === 'resumeAtOnce') await resumeAtOnce(front, manner)
    else if (goesOn && way === 'restart') return restart(front)
  }
  await close(front, manner)
  await kernel.pause(random.below(20))
}

/** Suspended and resumed in place: new rings, and what was not answered once more. */
async function resume(front: FrontEnd, manner: Manner): Promise<void> {
  const { kernel, random } = front.parts
  front.working = false
  await kernel.pause(random.below(50))
  const shape = { ...manner.shape(front), order: 0 }
  await front.says(1)
  await front.until(() => front.backend === 2 || closed(front) || front.finishing, 'InitWait after a resume')
  if (!front.is(2)) return
  await front.forgetKeys()
  await front.says(3, front.makeRings(shape, true))
  await front.until(() => front.backend === 4 || closed(front), 'Connected after a resume')
  if (!front.is(4)) return
  await front.says(4)
  front.work()
  await front.until(() => front.finishing || closed(front), 'the end of its work', random.below(200))
}

/** Suspended and resumed, and its new ring is all that the back end hears of it. */
async function resumeAtOnce(front: FrontEnd, manner: Manner): Promise<void> {
  const { kernel, random } = front.parts
  front.working = false
  await kernel.pause(random.below(50))
  const shape = front.shape ?? manner.shape(front)
  await front.says(3, front.makeRings(shape, true))
  if (front.is(4)) await front.says(4)
  // The back end is in Connected all the while, or again: that it serves the new ring is seen by its answers.
  await front.until(() => front.outstanding === 0 || closed(front), 'the answers to what was put again')
  await front.until(() => front.is(4) || closed(front), 'Connected after a resume')
  if (!front.is(4)) return
  await front.says(4)
  front.work()
  await front.until(() => front.finishing || closed(front), 'the end of its work', random.below(200))
}

/** Another kernel takes over without a word to the back end: a crash dump, a boot that is forced. */
async function restart(front: FrontEnd): Promise<void> {
  front.dropRings()
  await front.says(1)
}

/** The dance of closing; the back end may have begun it. */
async function close(front: FrontEnd, manner: Manner): Promise<void> {
  const { device } = front.parts
  await front.rest()
  if (front.outstanding > 0 && front.is(6) && !device.errors && !mayEnd(device))
    front.parts.blame('answered', `${device.place.frontend}: ${front.outstanding} requests were never answered`)
  if (front.backend !== 0) {
    await front.says(5)
    if (manner.waits) await front.until(() => closed(front), 'Closing')
    await front.says(6)
    if (manner.waits) await front.until(() => [0, 2, 6].includes(front.backend), 'Closed')
  }
  front.dropRings()
  if (manner.tidy) await front.forgetKeys()
  if (front.finishing || !device.attached) return
  if (front.backend === 0) await front.until(() => front.backend !== 0 || front.finishing, 'a new device', 10_000)
  await front.says(1)
}
