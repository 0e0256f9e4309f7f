/**
 * @packageDocumentation
 * What one seed becomes in the families of one queue: a plan, drawn in two levels. First it is drawn which kinds of
 * trouble there are in this run at all, then how often each happens; so that most runs have a few kinds, each often
 * enough to meet the others, and some have none.
 *
 *   seed ─► shape (ABI, ring, pool, arena, segments) · manners of the front end or its lies · weather of the disk ·
 *           deaths, takeovers, rests · how it ends
 */
import type { Plan } from '../family.js'
import type { FrontOptions } from '../honest-front.js'
import type { Lies } from '../hostile-front.js'
import type { OnEnospc } from '../../ports/queues.js'
import type { RateLimit } from '../../protocol/rate-limit.js'
import type { BlkifAbiName } from '../../protocol/abi.js'
import { Random } from '../random.js'
import { MANNERS } from './manners.js'

/** Per step: how probable each is. Absent: it never happens. */
export interface Weather {
  /** The disk stops, or goes on. */
  readonly hangs?: number
  readonly fills?: number
  readonly onEnospc?: OnEnospc
  /** It vanishes; later it is opened anew. */
  readonly vanishes?: number
  readonly resizes?: number
  readonly errorShare?: number
  readonly shortShare?: number
  readonly syncErrorShare?: number
  readonly delayMax: number
  /** Of I/Os that take a hundred steps and more longer. */
  readonly lagShare?: number
  readonly depth?: number
  /** A lost sync is remembered. */
  readonly buffered?: true
}

export type QueueEnding = 'drain' | 'abandon' | 'break' | 'cut'

export interface QueuePlan extends Plan {
  readonly steps: number
  readonly abi: BlkifAbiName
  readonly ringEntries: number
  readonly slots: number
  readonly arenaChunks: number
  readonly segmentWords: number
  readonly sectors: number
  readonly putsMax: number
  /** The name of its manners; of a hostile one absent. */
  readonly manner?: string
  /** What is otherwise than its manners have it. */
  readonly asks?: Partial<FrontOptions>
  readonly lies?: Lies
  readonly depth: number
  /** So many requests at most; absent: as many as the steps bring. */
  readonly requests?: number
  readonly indirect?: number
  readonly trace?: true
  readonly sleeps?: true
  readonly readOnly?: true
  readonly sectorSize?: number
  /** Nobody asked for is served. */
  readonly refuses?: readonly ('flush' | 'barrier' | 'discard')[]
  readonly weather: Weather
  readonly limit?: RateLimit
  /** The back end dies so often, each time after at most so many effects. */
  readonly deaths?: number
  readonly deathWithin?: number
  /** Per step: chunks are recalled; the limit changes; another process takes over; it is parked and comes back. */
  readonly recalls?: number
  readonly limits?: number
  readonly yields?: number
  readonly parks?: number
  readonly storms?: number
  /** Of its notifications, those that the front end does not send. */
  readonly forgets?: number
  readonly ending: QueueEnding
  /** The journal is replayed with XState beside it. */
  readonly shadow?: true
}

/** A kind of trouble: not in this run, or with a probability up to `most`. */
function share(random: Random, in_: number, most: number): number | undefined {
  return random.chance(in_) ? Math.max(0.001, Math.round(random.below(1000) * most) / 1000) : undefined
}

/** Without what is undefined, so that a plan is what JSON holds of it. */
function present<T extends object>(plan: { [K in keyof T]: T[K] | undefined }): T {
  return Object.fromEntries(Object.entries(plan).filter(([, value]) => value !== undefined)) as T
}

const flag = (random: Random, chance: number): true | undefined => (random.chance(chance) ? true : undefined)

function weather(random: Random): Weather {
  const calm = random.chance(0.3)
  const kind = (chance: number, most: number) => (calm ? undefined : share(random, chance, most))
  const fills = kind(0.3, 0.2)
  return present<Weather>({
    delayMax: random.pick([0, 1, 2, 4, 4, 8, 16, 40]),
    lagShare: kind(0.25, 0.2),
    depth: random.chance(0.25) ? 1 + random.below(8) : undefined,
    hangs: kind(0.2, 0.05),
    fills,
    onEnospc: fills !== undefined && random.chance(0.6) ? 'wait' : undefined,
    vanishes: kind(0.15, 0.03),
    resizes: kind(0.15, 0.05),
    errorShare: kind(0.25, 0.2),
    shortShare: kind(0.2, 0.2),
    syncErrorShare: kind(0.35, 0.9),
    buffered: flag(random, 0.6),
  })
}

function shape(random: Random) {
  const ringEntries = random.pick([32, 32, 32, 64, 128])
  const indirect = random.chance(0.3) ? random.pick([12, 32, 100, 256]) : undefined
  const least = indirect ? Math.ceil(indirect / 32) : 1
  return {
    abi: random.pick(['x86_64', 'x86_32'] as const),
    ringEntries,
    slots: random.chance(0.3) ? 1 + random.below(8) : ringEntries,
    arenaChunks: least + (random.chance(0.3) ? 0 : random.below(12)),
    segmentWords: random.pick([1, 4000, 16_384, 16_384]),
    sectors: indirect && indirect > 100 ? 4096 : random.pick([64, 128, 256, 512]),
    putsMax: random.pick([1, 3, 8, 8, 32]),
    indirect,
    trace: flag(random, 0.2),
    sleeps: flag(random, 0.5),
    shadow: flag(random, 0.15),
  }
}

/** What the operator and other processes do. */
function company(random: Random) {
  const limited = random.chance(0.15)
  const deaths = random.chance(0.5) ? 1 + random.below(6) : undefined
  return {
    limit: limited ? drawLimit(random) : undefined,
    limits: share(random, 0.08, 0.02),
    deaths,
    deathWithin: deaths ? random.pick([6, 100, 400, 1200]) : undefined,
    recalls: share(random, 0.15, 0.1),
    yields: share(random, 0.15, 0.02),
    parks: share(random, 0.1, 0.02),
    storms: share(random, 0.2, 0.3),
    forgets: share(random, 0.1, 0.9),
  }
}

/** Such as lets some hundred requests through in the time that a run takes. */
export function drawLimit(random: Random): RateLimit {
  const iops = { iops: random.pick([20_000, 100_000, 500_000]), iopsBurst: 1 + random.below(40) }
  const bps = { bps: random.pick([1, 5, 40]) * 2 ** 28, bpsBurst: random.pick([4096, 65_536, 2 ** 20]) }
  return random.chance(0.5) ? iops : random.chance(0.5) ? bps : { ...iops, ...bps }
}

/** Of a front end with manners. */
export function drawHonest(seed: number): QueuePlan {
  const random = new Random(seed)
  const manner = random.pick(Object.keys(MANNERS))
  const formed = shape(random)
  const depth = MANNERS[manner].depth ?? random.pick([1, 4, formed.ringEntries, formed.ringEntries])
  const indirect = MANNERS[manner].indirect ? formed.indirect : undefined
  return present<QueuePlan>({
    seed, steps: random.pick([30, 100, 200, 300, 400]), ...formed, manner, depth, indirect,
    weather: weather(random),
    ...company(random),
    ending: random.pick(['drain', 'drain', 'abandon', 'break', 'cut'] as const),
  })
}

const LIES: readonly (keyof Lies)[] = [
  'op', 'count', 'sector', 'range', 'gref', 'descriptors', 'discard', 'scribble', 'memory', 'revoke', 'events',
]

/** Of one that lies. */
export function drawHostile(seed: number): QueuePlan {
  const random = new Random(seed ^ 0x5bd1e995)
  const lies: Partial<Record<keyof Lies, number>> = {}
  const often = random.pick([0.02, 0.2, 0.6])
  for (const kind of LIES) if (random.chance(0.4)) lies[kind] = often * (0.2 + random.below(800) / 1000)
  for (const kind of ['id', 'replay', 'rspProd'] as const) if (random.chance(0.15)) lies[kind] = 0.05
  if (random.chance(0.25)) lies.producer = random.pick([0.002, 0.02])
  const formed = shape(random)
  const refused = (['flush', 'barrier', 'discard'] as const).filter(() => random.chance(0.15))
  return present<QueuePlan>({
    seed, steps: random.pick([50, 100, 200]), ...formed, depth: formed.ringEntries, lies,
    readOnly: flag(random, 0.15),
    sectorSize: random.chance(0.2) ? 4096 : undefined,
    refuses: refused.length > 0 ? refused : undefined,
    weather: weather(random),
    ...company(random),
    ending: random.pick(['drain', 'abandon', 'break'] as const),
  })
}
