/**
 * @packageDocumentation
 * What a seed means for a world: first which actors and which troubles there are at all, most of them absent in most
 * worlds, then how often each comes. So a world has a character, and rare things happen often in some of them.
 */
import type { DeviceSettings } from '../../machines/device/types.js'
import type { OnEnospc } from '../../ports/queues.js'
import { DEFAULT_RING_LIMITS } from '../../protocol/negotiation.js'
import { Random } from '../random.js'
import type { Plan } from '../family.js'
import { HOSTILE_DEEDS } from './hostile-guests.js'
import { REJOINS, TROUBLES, type Trouble } from './troubles.js'
import { HONEST_GUESTS, type HonestGuest } from './honest-guests.js'
import { SLOPPY_HABITS, type SloppyHabit } from './sloppy-guests.js'

export interface DevicePlan {
  readonly letter: string
  /** Most nanoseconds between two batches of requests. */
  readonly paceNs: number
  /** Present: its guest is hostile, and does such things, so often. */
  readonly hostile?: { readonly deeds: readonly string[]; readonly pauseNs: number }
  /** Present: it means well, and has such habits. */
  readonly sloppy?: readonly SloppyHabit[]
  /** One after the other, each handing over to the next. */
  readonly guests: readonly HonestGuest[]
}

export interface DomainPlan {
  readonly devices: readonly DevicePlan[]
}

export interface DaemonPlan extends Plan {
  readonly domains: readonly DomainPlan[]
  readonly durationMs: number
  readonly storeDelayNs: number
  readonly workers: number
  readonly arenaChunks: number
  readonly smallSegments: number
  readonly largeSegments: number
  readonly hostFailShare: number
  /** How often the daemon is killed, and within how many effects of its life each time. */
  readonly deaths: number
  readonly deathWithin: number
  /** Most nanoseconds that a disk takes. */
  readonly diskNs: number
  /** What else goes wrong, and the most milliseconds between two of them. */
  readonly troubles: readonly Trouble[]
  readonly troublePauseMs: number
  /** What a write does that finds no space. */
  readonly onEnospc?: OnEnospc
}

/** That a device may have. */
const QUEUES_MAX = 2

export function drawPlan(seed: number): DaemonPlan {
  const random = new Random(seed)
  const domains = Array.from({ length: 1 + random.below(3) }, (_, domain): DomainPlan => {
    const hostile = domain > 0 && random.chance(0.4)
    return {
    devices: Array.from({ length: random.chance(0.3) ? 2 : 1 }, (_, index) => ({
      letter: 'ab'[index], guests: drawGuests(random), paceNs: random.pick([300_000, 3e6, 10e6]),
      ...(!hostile && random.chance(0.15) && { sloppy: some(random, SLOPPY_HABITS) }),
      ...(hostile && { hostile: { deeds: some(random, HOSTILE_DEEDS), pauseNs: random.pick([100_000, 2e6, 10e6]) } }),
    })),
  }})
  return {
    seed,
    domains,
    durationMs: 50 + random.below(300),
    storeDelayNs: random.pick([2000, 50_000, 500_000]),
    workers: 1 + random.below(2),
    smallSegments: 20,
    largeSegments: 16,
    hostFailShare: 0,
    deaths: random.chance(0.7) ? 1 + random.below(4) : 0,
    deathWithin: random.pick([30, 300, 1000]),
    diskNs: random.pick([50_000, 500_000, 5e6]),
    troubles: random.chance(0.6) ? some(random, TROUBLES) : [],
    troublePauseMs: random.pick([10, 50, 200]),
    // All queues have their reserve in one Worker, and there is little else, or nothing at all.
    arenaChunks: QUEUES_MAX * domains.flatMap(({ devices }) => devices).length + random.pick([0, 2, 8]),
    onEnospc: random.pick(['error', 'wait'] as const),
  }
}

/** A few of them, often one. */
function some<T>(random: Random, all: readonly T[]): T[] {
  const share = random.pick([0.1, 0.3, 0.7])
  const chosen = all.filter(() => random.chance(share))
  return chosen.length > 0 ? chosen : [random.pick(all)]
}

function drawGuests(random: Random): HonestGuest[] {
  const system = random.pick(HONEST_GUESTS)
  return random.chance(0.3) ? [random.pick(['ovmf', 'grub'] as const), system] : [system]
}

/** What the operator of such a world has configured. */
export function deviceSettings({ onEnospc = 'error' }: DaemonPlan): (device: string) => DeviceSettings {
  const settings: DeviceSettings = {
    ring: { ...DEFAULT_RING_LIMITS, maxRingPageOrder: 4, maxQueues: QUEUES_MAX, maxIndirectSegments: 16 },
    grants: 'copy', slots: 0, batch: 16, requests: 'compiled', journal: 'inputs', medium: {}, onEnospc,
    closePatienceMs: 10_000, rejoin: { max: REJOINS, periodMs: 60_000 },
  }
  return () => settings
}

/** One thing less at a time. */
export function* simplerPlans(plan: DaemonPlan): Iterable<DaemonPlan> {
  for (const index of plan.domains.keys())
    if (plan.domains.length > 1) yield { ...plan, domains: plan.domains.toSpliced(index, 1) }
  for (const [index, { devices }] of plan.domains.entries())
    if (devices.length > 1)
      yield { ...plan, domains: plan.domains.with(index, { ...plan.domains[index], devices: devices.slice(0, 1) }) }
  for (const index of plan.troubles.keys()) yield { ...plan, troubles: plan.troubles.toSpliced(index, 1) }
  if (plan.deaths > 0) yield { ...plan, deaths: plan.deaths - 1 }
  if (plan.durationMs > 50) yield { ...plan, durationMs: Math.floor(plan.durationMs / 2) }
  if (plan.workers > 1) yield { ...plan, workers: 1 }
}
