/**
 * Death and recovery in the simulated world: the back end dies at any of its effects, before it, in the middle or
 * after it, again and again, also while it recovers; its I/O comes to an end as the kernel brings it about, and a
 * successor goes on from the newest segment. No law is broken, the front end sees nothing but answers, and every
 * journal that was written on the way replays. Then the same worlds with a successor that slips: a law notices.
 */
import { COMMAND_RECOVERED, RECORD_COMMAND } from '../../src/core/records.js'
import { lastAnswers, unpublished } from '../../src/core/recovery.js'
import { foldLegacy, judgeLegacy } from '../../src/journal/legacy.js'
import { chainsOf } from '../../src/journal/chain.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { replayJournals } from '../../src/journal/replay.js'
import { readBatches, readHeader } from '../../src/journal/segment-reader.js'
import { QueueState } from '../../src/machines/generated/queue.js'
import { Random } from '../../src/sim/random.js'
import { Killed, Reaper } from '../../src/sim/queue/reaper.js'
import { World } from '../../src/sim/world.js'
import type { BadSuccessor, WorldOptions } from '../../src/sim/world-options.js'

interface Fatal {
  readonly options: WorldOptions
  readonly deaths: number
  readonly bad?: BadSuccessor
  readonly reaper?: Reaper
}

/** Runs a world in which the back end dies `deaths` times at effects chosen by the seed, and drains it in the end. */
function dyingWorld({ options, deaths, bad, reaper = new Reaper() }: Fatal): { world: World; drained: boolean } {
  const random = new Random(options.seed + 7919)
  const world: World = new World({ ...options, seams: reaper.seams(() => world.ring) })
  let struck = 0
  const strikeWithin = (effects: number): void => void (reaper.left = struck < deaths ? random.below(effects) : Infinity)
  const live = (act: () => void): void => {
    for (let again: () => void = act; ; again = () => world.recover(bad)) {
      try {
        return again()
      } catch (error) {
        if (!(error instanceof Killed)) throw error
        struck++
        // Half of them die again in the middle of the recovery.
        strikeWithin(random.chance(0.5) ? 160 : 6)
      }
    }
  }
  strikeWithin(160)
  for (let step = 0; step < options.steps; step++) {
    live(() => world.step(true))
  }
  live(() => world.drain())
  let drained = false
  for (let step = 0; step < 10_000 && world.core.queueState !== QueueState.Drained; step++) live(() => world.step(false))
  reaper.left = Infinity
  drained = world.finish()
  return { world, drained }
}

function expectSound({ world, drained }: ReturnType<typeof dyingWorld>): void {
  expect(world.laws.violations).toEqual([])
  expect(world.front.complaints).toEqual([])
  expect(drained).toBe(true)
  const { core } = world
  expect([core.freeCount, core.extents.used, core.gate.length, core.gate.active]).toEqual([core.slots, 0, 0, 0])
}

const WORLDS: Readonly<Record<string, Partial<WorldOptions>>> = {
  'a good disk': {},
  'a slow disk that takes four I/Os': { delayMax: 12, depth: 32, diskDepth: 4 },
  'a failing disk': { errorShare: 0.05, shortShare: 0.05, syncErrorShare: 0.2 },
  'a failing disk with a lost cache': { errorShare: 0.02, syncErrorShare: 0.1, buffered: true },
  'four slots for a ring of 32': { slots: 4, depth: 32 },
  'buffers for three requests': { arenaChunks: 1, depth: 32 },
  'journal segments of one batch': { segmentWords: 1 },
  'journal segments that roll often': { segmentWords: 4000, slots: 16 },
  'indirect requests': { indirect: 32 },
  'indirect requests in pieces': { indirect: 256, arenaChunks: 9, depth: 6, sectors: 16_384, diskDepth: 5 },
  'a ring of four pages': { ringEntries: 128, depth: 100, delayMax: 8 },
  'a full journal': { trace: true },
  'a disk that is full now and then': { fillShare: 0.05, onEnospc: 'wait' },
}

describe.each(Object.entries(WORLDS))('%s', (_, options) => {
  test.each(['x86_64', 'x86_32'] as const)('S31: twelve deaths at any effect: no law is broken, the journals replay (%s)', (abi) => {
    for (const seed of [1, 2, 3]) {
      const run = dyingWorld({ options: { seed, steps: 300, abi, ...options }, deaths: 12 })
      expect(run.world.deaths).toBe(12)
      expectSound(run)
      const replay = replayJournals({ chains: chainsOf(segmentsInMemory(run.world.segments)), problems: [] })
      expect(replay.journals.flatMap(({ divergences, damage }) => [...divergences, ...damage])).toEqual([])
      expect(replay.journals.length).toBeGreaterThan(3)
    }
  })
})

test('the deaths were at every effect, before it, in the middle of it and after it', () => {
  const reaper = new Reaper()
  for (let seed = 1; seed <= 20; seed++)
    dyingWorld({ options: { seed, steps: 120, segmentWords: 4000, slots: 16 }, deaths: 6, reaper })
  const effects = ['take', 'copy', 'seal', 'answer', 'submit', 'reap', 'begin']
  const places = effects.flatMap((effect) => [`before ${effect}`, `after ${effect}`])
  expect([...reaper.struck].sort()).toEqual([...places, 'middle of answer', 'rolling'].sort())
})

test('what was taken and not answered is redone by an input of its own, which stands in the journal', () => {
  const { world } = dyingWorld({ options: { seed: 4, steps: 300 }, deaths: 3 })
  const recovered = world.segments.flatMap((words) => {
    const read = readHeader(words)
    if (!read.ok) return []
    return [...readBatches(words, read.header)].filter(
      ({ words: at, from }) => (at[from] & 0xffff) === (RECORD_COMMAND | (COMMAND_RECOVERED << 8)),
    )
  })
  expect(recovered.length).toBeGreaterThan(0)
})

/** Slips of a successor, and the law that notices. */
const SLIPS: readonly { readonly title: string; readonly law: string; readonly options?: Partial<WorldOptions>; readonly bad: BadSuccessor }[] = [
  { title: 'does not publish what was committed', law: 'answered-once', bad: { publish: () => undefined } },
  {
    title: 'publishes the last answers although the ring has them', law: 'answered-once',
    bad: {
      publish: (takeover, ring) => {
        const { answers, count } = lastAnswers(takeover.core)
        ring.answer(answers, count, (takeover.core.rspProd - count) | 0)
      },
    },
  },
  { title: 'does not wait for the I/O of the dead', law: 'flush-is-durable', options: { delayMax: 60, depth: 32, sectors: 512 }, bad: { unfenced: true } },
  {
    title: 'forgives a lost sync', law: 'lost-sync-sticks', options: { buffered: true, syncErrorShare: 0.3 },
    bad: { sabotage: (core) => void (core.syncLost = false) },
  },
  {
    title: 'redoes the line from its end', law: 'barrier-orders', options: { delayMax: 40, depth: 32 },
    bad: {
      sabotage: ({ gate }) => {
        const line = gate.slotsInLine.bind(gate)
        gate.slotsInLine = () => line().reverse()
      },
    },
  },
]

test.each(SLIPS)('a successor that $title is noticed: $law', ({ law, options = {}, bad }) => {
  const broken = new Set<string>()
  for (let seed = 1; seed <= 120 && !broken.has(law); seed++) {
    const fatal = { options: { seed, steps: 250, ...options }, deaths: 8 }
    expectSound(dyingWorld(fatal))
    for (const name of brokenBy({ ...fatal, bad })) broken.add(name)
  }
  expect([...broken]).toContain(law)
})

function brokenBy(fatal: Fatal): string[] {
  let seen: World | undefined
  const reaper = new Reaper()
  try {
    const { world } = dyingWorld({ ...fatal, reaper, bad: { ...fatal.bad, sabotage: (core) => fatal.bad?.sabotage?.(core) } })
    seen = world
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error)) throw error
  }
  const violations = seen?.laws.violations.map(({ law }) => law) ?? []
  return seen && seen.front.complaints.length > 0 ? [...violations, 'a front end that reads'] : violations
}

describe('a journal that cannot be trusted', () => {
  /** The newest segment of a queue that died with requests at work. */
  const legacyOf = (): Int32Array => {
    const world = new World({ seed: 3, steps: 0, depth: 32, delayMax: 9 })
    for (let step = 0; step < 120; step++) world.step(true)
    return world.segments[world.segments.length - 1].slice()
  }

  test('it is recoverable as it is; of another boot, of other charts, without a ring, damaged or detached it is not', () => {
    const words = legacyOf()
    expect(judgeLegacy(words, 'sim')).toEqual({ kind: 'recoverable', connection: { grefs: [8], evtchn: 9, abi: 'x86_64' } })
    expect(judgeLegacy(words, 'another')).toMatchObject({ kind: 'refused', sentence: expect.stringMatching(/before this machine was started/) as unknown })
    const flipped = words.slice()
    flipped[words[3] + 40] ^= 4
    expect(judgeLegacy(flipped, 'sim')).toMatchObject({ kind: 'refused', sentence: expect.stringMatching(/checksum is wrong/) as unknown })
    expect(foldLegacy(flipped)).toMatchObject({ ok: false })
  })

  test.each(['break', 'abandon'] as const)('of a queue that drained since its front end is lost (%s) it is not gone on from', (ending) => {
    const options = { seed: 3, steps: 0, depth: 32, delayMax: 9, segmentWords: 1 }
    const world = new World(options)
    for (let step = 0; step < 120; step++) world.step(true)
    world.end(ending)
    for (let step = 0; step < 500 && !world.isDrained; step++) world.step(false)
    expect([world.isDrained, world.core.reqCons === world.core.rspProd]).toEqual([true, false])
    const last = world.segments.findLast((words) => readHeader(words).ok)!
    expect(judgeLegacy(last, 'sim')).toMatchObject({ kind: 'refused', lost: true })
    // The same in a segment that begins only now.
    for (let round = 0; round < 200; round++) {
      world.plane.recallChunks(1)
      world.plane.round()
    }
    const next = world.segments.findLast((words) => readHeader(words).ok)!
    expect(next).not.toBe(last)
    expect(judgeLegacy(next, 'sim')).toMatchObject({ kind: 'refused', lost: true })
    world.recover()
    expect(world.lost).toBe(true)
  })

  test('rsp_prod is believed only where the journal committed it: no other value of 2^32 is', () => {
    const folded = foldLegacy(legacyOf())
    if (!folded.ok) throw new Error(folded.sentence)
    const { core } = folded
    const { count } = lastAnswers(core)
    expect(count).toBeGreaterThan(0)
    for (let distance = -70; distance <= 70; distance++)
      expect(unpublished(core, core.rspProd + distance)).toBe(distance === 0 ? 0 : distance === -count ? count : undefined)
    for (const wild of [0x7fffffff, 0x80000000, 0xffffffff, core.rspProd ^ 0x10000])
      expect(unpublished(core, wild)).toBeUndefined()
  })

  test('no byte of it makes an exception, and none that is changed is folded to the end in silence', () => {
    const words = legacyOf()
    const read = readHeader(words)
    if (!read.ok) throw new Error(read.sentence)
    const end = [...readBatches(words, read.header)].at(-1)?.to ?? 0
    const random = new Random(11)
    for (let trial = 0; trial < 400; trial++) {
      const changed = words.slice()
      changed[random.below(end)] ^= 1 << random.below(32)
      const legacy = judgeLegacy(changed, 'sim')
      const folded = legacy.kind === 'recoverable' ? foldLegacy(changed) : { ok: false }
      expect(folded.ok).toBe(false)
    }
  })
})
