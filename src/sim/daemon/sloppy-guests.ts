/**
 * @packageDocumentation
 * Guests that mean well and know the protocol by hearsay: each has some of the habits below. Their disks may be closed
 * at any time, since one cannot say when they have asked for it; but what was answered to them must be true, whatever
 * they do between connections.
 *
 *   early ─ keys after the state ─ too many pages ─ 4 without 3 ─► requests ─ states repeated, 7 and 8 said, 3 again
 *         ─► Closed without Closing ─ Initialising at once ─ the state node removed ─ keys left where they were
 */
import type { FrontEnd, RingShape } from './front-end.js'

export const SLOPPY_HABITS = [
  'early', 'keysLate', 'greedy', 'skipsInitialised', 'silent', 'repeats', 'reconfigures', 'looksAgain', 'skipsClosing',
  'startsOver', 'vanishes', 'hurries', 'leavesKeys',
] as const
export type SloppyHabit = (typeof SLOPPY_HABITS)[number]

type Has = (habit: SloppyHabit) => boolean

/** Until its front end is told to finish; it has its habits, and does not always follow them. */
export async function liveSloppily(front: FrontEnd, habits: readonly SloppyHabit[]): Promise<void> {
  const { random, kernel } = front.parts
  const has: Has = (habit) => habits.includes(habit) && random.chance(0.6)
  await front.begin()
  while (!front.finishing) {
    await connect(front, has)
    if (front.is(4)) await work(front, has)
    await leave(front, has)
    await kernel.pause(random.below(20))
  }
  front.ended = true
}

async function connect(front: FrontEnd, has: Has): Promise<void> {
  const { random, kernel } = front.parts
  const patience = 1 + random.below(500)
  if (!has('early')) await front.until(() => front.is(2) || front.finishing, 'InitWait', patience)
  if (!has('leavesKeys')) await front.forgetKeys()
  const keys = front.makeRings(shapeOf(front))
  const state = has('skipsInitialised') ? 4 : 3
  if (has('greedy')) {
    await front.says(3, { ...keys, 'ring-page-order': '9' })
    await kernel.pause(random.below(10))
  }
  if (has('keysLate')) {
    await front.says(state)
    await kernel.pause(random.below(5))
    await front.says(state, keys)
  } else await front.says(state, keys)
  await front.until(() => front.is(4) || front.backend >= 5 || front.finishing, 'Connected', patience)
}

async function work(front: FrontEnd, has: Has): Promise<void> {
  const { random } = front.parts
  if (!has('silent')) await front.says(4)
  front.work()
  for (let times = random.below(6); times >= 0; times--) {
    const over = await front.until(() => front.finishing || !front.is(4), 'the end of its work', random.below(60))
    if (over) return
    if (has('repeats')) await front.says(4)
    if (has('reconfigures')) await front.says(7 + random.below(2))
    if (has('looksAgain')) await front.says(3)
  }
}

async function leave(front: FrontEnd, has: Has): Promise<void> {
  const { store, random, device: { place } } = front.parts
  front.working = false
  const patience = 1 + random.below(500)
  if (!has('hurries')) await front.until(() => front.outstanding === 0 || !front.is(4), 'the last answer', patience)
  if (has('vanishes')) {
    await store.remove(`${place.frontend}/state`).catch(() => undefined)
  } else if (!has('startsOver')) {
    if (!has('skipsClosing')) await front.says(5)
    await front.until(() => front.backend >= 5, 'Closing', patience)
    await front.says(6)
  }
  if (!has('hurries')) await front.until(() => !front.is(4) && !front.is(5), 'Closed', patience)
  front.dropRings()
  if (!front.finishing) await front.says(1)
}

function shapeOf({ parts: { random } }: FrontEnd): RingShape {
  const abi = random.pick(['x86_64', 'x86_32'] as const)
  const queues = 1 + random.below(2)
  return { abi, order: random.below(3), queues, indirect: 0, discards: random.chance(0.5), polls: random.chance(0.5) }
}
