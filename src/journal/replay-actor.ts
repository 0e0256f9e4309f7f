/**
 * @packageDocumentation
 * Replay of the control plane's journals: the recorded inputs go through XState's own transition function, actor by
 * actor (actor-fold.ts), and every recorded state is compared with the one that the chart comes to.
 *
 * An actor whose start stood in a segment that was recycled cannot be folded; its records are counted as unfounded, not
 * as divergences. An event may be the last thing that a process wrote, so a missing STATE is one only when the actor
 * went on. What must never happen: an exception for any bytes.
 */
import { chartHash } from '../machines/compile/index.js'
import { charts } from '../machines/index.js'
import { ActorFold } from './actor-fold.js'
import { walkChain } from './chain.js'
import type { JournalChain } from './chain.js'
import type { ReplayDivergence } from './replay-queue.js'

/** What a replay of actors found. */
export interface ActorReplay {
  readonly journal: string
  readonly run: string
  readonly otherCharts: boolean
  readonly segments: number
  readonly recycled: number
  readonly batches: number
  readonly events: number
  /** Records of actors whose start is no longer there. */
  readonly unfounded: number
  /** The first hundred. */
  readonly divergences: readonly ReplayDivergence[]
  readonly divergenceCount: number
  readonly damage: readonly string[]
  /** Where each actor stands at the end. */
  readonly final: { readonly [actor: string]: string }
}

const LIMIT = 100

let hashes: ReadonlyMap<string, string> | undefined
/** Of today's charts, made when they are first asked for. */
const todaysHashes = () => (hashes ??= new Map(charts.map(({ name, chart }) => [name, chartHash(chart)])))

/** Replays one run of one actor journal. Never throws for what the journal holds. */
export function replayActors(chain: JournalChain): ActorReplay {
  const divergences: ReplayDivergence[] = []
  let divergenceCount = 0
  let now = { number: 0, timeNs: 0 }
  const fold = new ActorFold(({ kind, sentence }) => {
    if (divergenceCount++ >= LIMIT) return
    divergences.push({ kind, batch: now.number, timeNs: now.timeNs, sentence: `batch ${now.number}: ${sentence}` })
  })
  const damage: string[] = []
  let batches = 0
  for (const step of walkChain(chain)) {
    if (step.kind === 'segment' && !step.follows) fold.forget()
    if ((step.kind === 'gap' || step.kind === 'damage') && damage.length < LIMIT)
      damage.push(`${step.segment.file}: ${step.sentence}`)
    if (step.kind !== 'batch') continue
    batches++
    now = step.batch
    fold.batch(step.batch)
  }
  const { journal, run, identity, segments } = chain
  const { events, unfounded } = fold
  const otherCharts = [...todaysHashes()].some(([name, today]) => {
    const hash = identity.charts[name]
    return hash !== undefined && hash !== today
  })
  const recycled = segments[0].header.firstBatch
  const counts = { segments: segments.length, recycled, batches, events, unfounded }
  const final = Object.fromEntries([...fold.lives].map(([actor, { state }]) => [actor, state]))
  return { journal, run, otherCharts, ...counts, divergences, divergenceCount, damage, final }
}
