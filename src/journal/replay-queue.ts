/**
 * @packageDocumentation
 * Replay of a queue: the recorded inputs go through the very core that recorded them, with the charts beside it, and
 * whatever comes out otherwise than it was recorded becomes a sentence.
 *
 *   batch ─► beginBatch(time) · apply(inputs) · endInputs · applyCopied · settle ─► effects, digest
 *                 │                                                                  compared with the recorded ones
 *                 └ every step: generated code | XState's interpreter, compared
 *
 * Four kinds of divergence: `chart` (generated code and chart disagree), `effect` (other records), `digest` (other
 * transitions, I/Os or copies), `input` (the core cannot take an input at all: replay of this journal ends there).
 * The digest goes on from batch to batch, so only the first one that differs is reported; the next segment starts from
 * its checkpoint and is compared again. What must never happen: an exception, or memory without bound, for any bytes.
 */
import { checkpointWordsMax, writeCheckpoint } from '../core/checkpoint.js'
import type { QueueCore } from '../core/queue-core.js'
import type { Steppers } from '../core/steppers.js'
import { queueStateNames } from '../machines/generated/queue.js'
import { sentenceOf } from '../protocol/errors.js'
import { walkChain } from './chain.js'
import type { ChainStep, JournalChain } from './chain.js'
import { recordLine } from './describe-record.js'
import { QueueFold } from './queue-fold.js'
import { firstDifference, recordsIn, sameWords } from './replay-compare.js'
import type { RecordSpan } from './replay-compare.js'
import { readCoreSettings } from './replay-settings.js'
import { replaySteppers } from './replay-steppers.js'
import type { ReplaySteppers } from './replay-steppers.js'
import type { Batch } from './segment-reader.js'

export type DivergenceKind = 'chart' | 'effect' | 'digest' | 'input'

/** One point at which recording and replay differ. */
export interface ReplayDivergence {
  readonly kind: DivergenceKind
  readonly batch: number
  readonly timeNs: number
  readonly sentence: string
  /** `request.completed`: the event at which they part, when it is known. */
  readonly event?: string
}

export interface ReplayOptions {
  /** Leaves XState's interpreter out: a tenth of the time, and proof only that the compiled charts agree. */
  readonly compiledOnly?: boolean
  /** What steps; tests give mutated code. */
  readonly generated?: Steppers
  /** Hears of every segment that is begun: the how manieth of how many of the journal's. */
  readonly onSegment?: (journal: string, segment: number, segments: number) => void
}

/** The queue after the last batch; ring indices as unsigned numbers. */
export interface FinalState {
  readonly queue: string
  readonly inFlight: number
  readonly reqCons: number
  readonly rspProd: number
}

/** What a replay found. */
export interface QueueReplay {
  readonly journal: string
  readonly run: string
  /** Recorded with charts that this version does not know: differences are information, not failure. */
  readonly otherCharts: boolean
  readonly segments: number
  /** Batches before the first that is still there. */
  readonly recycled: number
  readonly batches: number
  readonly requests: number
  readonly transitions: number
  /** The first hundred. */
  readonly divergences: readonly ReplayDivergence[]
  readonly divergenceCount: number
  /** Damaged or missing batches; replay goes on at the next checkpoint. */
  readonly damage: readonly string[]
  /** The core's counters at the end (core/statistics.ts); absent when nothing could be folded. */
  readonly statistics?: Float64Array
  /** Where the queue stands at the end. */
  readonly final?: FinalState
}

const DIVERGENCES_MAX = 100
const DAMAGE_MAX = 100
const INPUTS_SHOWN = 12

/** Whether the replay proves that the recorded run obeyed the charts. */
export function agrees(
  replay: Pick<QueueReplay, 'damage' | 'batches' | 'otherCharts' | 'divergenceCount'>,
): boolean {
  return replay.damage.length === 0 && replay.batches > 0 && (replay.otherCharts || replay.divergenceCount === 0)
}

/** Replays one run of one queue. Never throws for what the journal holds. */
export function replayQueue(chain: JournalChain, options: ReplayOptions = {}): QueueReplay {
  return new Replay(chain, options).run()
}

class Replay {
  private readonly chain: JournalChain
  private readonly options: ReplayOptions
  private readonly divergences: ReplayDivergence[] = []
  private readonly damage: string[] = []
  private divergenceCount = 0
  private batches = 0
  private transitions = 0
  private stepping: ReplaySteppers | undefined
  private digestAgrees = true
  private now = { number: 0, timeNs: 0 }

  constructor(chain: JournalChain, options: ReplayOptions) {
    this.chain = chain
    this.options = options
  }

  run(): QueueReplay {
    const settings = readCoreSettings(this.chain.identity.settings)
    const { upcast } = this.chain
    const fold = settings.ok ? new QueueFold(settings.settings, (core) => this.steppers(core), upcast) : undefined
    if (fold) this.foldChain(fold)
    else if (!settings.ok) this.diverge('input', settings.sentence)
    const { chain } = this
    const core = fold?.core
    return {
      journal: chain.journal,
      run: chain.run,
      otherCharts: chain.upcast === undefined,
      segments: chain.segments.length,
      recycled: chain.segments[0].header.firstBatch,
      batches: this.batches,
      requests: fold?.requests ?? 0,
      transitions: this.transitions + (this.stepping?.count.transitions ?? 0),
      divergences: this.divergences,
      divergenceCount: this.divergenceCount,
      damage: this.damage,
      ...(core === undefined ? {} : { statistics: core.statistics, final: finalOf(core) }),
    }
  }

  private foldChain(fold: QueueFold): void {
    const { journal, segments } = this.chain
    let begun = 0
    for (const step of walkChain(this.chain)) {
      if (step.kind === 'segment') this.options.onSegment?.(journal, ++begun, segments.length)
      if (step.kind === 'gap' || step.kind === 'damage') this.noteDamage(step)
      if (step.kind === 'segment' && !step.follows) fold.forget()
      if (step.kind !== 'batch') continue
      this.now = step.batch
      try {
        this.batch(fold, step.batch)
      } catch (error) {
        // An assertion of the core, or of the chart: this input cannot follow on those before it.
        this.diverge('input', `${sentenceOf(error)}; the batch has ${inputsText(step.batch)}`)
        return
      }
    }
  }

  private batch(fold: QueueFold, batch: Batch): void {
    this.batches++
    if (!fold.isCheckpoint(batch)) {
      const { words, to } = batch
      const { from, derived, end } = fold.round(batch)
      if (fold.core) this.compare(fold.core, batch, { words, from, to }, { words: derived, from: 0, to: end })
    } else if (fold.core === undefined) this.restore(fold, batch)
    else this.compareCheckpoint(fold, fold.core, batch)
  }

  private restore(fold: QueueFold, batch: Pick<Batch, 'words' | 'from' | 'timeNs'>): void {
    this.transitions += this.stepping?.count.transitions ?? 0
    this.stepping = undefined
    this.digestAgrees = true
    fold.restore(batch)
  }

  private steppers(coreOf: () => QueueCore): Steppers {
    const { compiledOnly, generated } = this.options
    this.stepping = replaySteppers(
      {
        shadow: compiledOnly !== true,
        ...(generated === undefined ? {} : { generated }),
        onDifference: (chart, difference) => {
          const { slot, event, generated: did, xstate } = difference
          const sides = `the compiled ${chart} chart goes to ${movesText(did)}, XState to ${movesText(xstate)}`
          this.diverge('chart', `slot ${slot} on ${event}: ${sides}`, `${chart}.${event}`)
        },
      },
      coreOf,
    )
    return this.stepping.steppers
  }

  /**
   * The recorded core wrote down its whole state: ours must be the same. Rounds that do nothing but free answered slots
   * leave no batch, so the recorded one may be such a round ahead.
   */
  private compareCheckpoint(fold: QueueFold, core: QueueCore, { words, from, to, timeNs }: Batch): void {
    const recorded = { words, from, to }
    if (sameWords(recorded, checkpointOf(core))) return
    if (fold.silentRound(timeNs) && sameWords(recorded, checkpointOf(core))) return
    if (this.digestAgrees) this.diverge('digest', checkpointText(recorded, checkpointOf(core)))
    // From here on what was recorded counts, so that the next segment is judged for itself.
    this.restore(fold, { words, from, timeNs })
  }

  private compare(core: QueueCore, batch: Batch, recorded: RecordSpan, derived: RecordSpan): void {
    if (!sameWords(recorded, derived)) {
      const { sentence, event } = firstDifference(recorded, derived)
      this.diverge('effect', sentence, event)
    }
    const digest = core.batchDigest()
    if (digest === batch.digest || !this.digestAgrees) return
    this.digestAgrees = false
    const sides = `${hex(batch.digest)} in the recording, ${hex(digest)} by the charts`
    const meaning = 'other transitions, I/Os or copies were recorded than follow from these inputs'
    this.diverge('digest', `the digest is ${sides}: ${meaning}; the batch has ${inputsText(batch)}`)
  }

  private diverge(kind: DivergenceKind, text: string, event?: string): void {
    this.divergenceCount++
    if (this.divergences.length >= DIVERGENCES_MAX) return
    const { number, timeNs } = this.now
    const sentence = `batch ${number}: ${text}`
    this.divergences.push({ kind, batch: number, timeNs, sentence, ...(event === undefined ? {} : { event }) })
  }

  private noteDamage(step: Extract<ChainStep, { kind: 'gap' | 'damage' }>): void {
    if (this.damage.length < DAMAGE_MAX) this.damage.push(`${step.segment.file}: ${step.sentence}`)
  }
}

function checkpointOf(core: QueueCore): RecordSpan {
  const words = new Int32Array(checkpointWordsMax(core))
  return { words, from: 0, to: writeCheckpoint(core, words, 0) }
}

/** Which word of the state differs first; the words are those of docs/journal-format.md. */
function checkpointText(recorded: RecordSpan, derived: RecordSpan): string {
  let word = 0
  while (recorded.words[recorded.from + word] === derived.words[derived.from + word] && word < derived.to) word++
  const [there, here] = [recorded.words[recorded.from + word], derived.words[derived.from + word]]
  return `the checkpoint's word ${word} is ${there} in the recording, the charts come to ${here}`
}

function finalOf(core: QueueCore): FinalState {
  const { inFlight, reqCons, rspProd } = core
  return { queue: queueStateNames[core.queueState], inFlight, reqCons: reqCons >>> 0, rspProd: rspProd >>> 0 }
}

function movesText({ state, actions }: { readonly state: string; readonly actions: readonly string[] }): string {
  return actions.length === 0 ? state : `${state} (${actions.join(', ')})`
}

/** The inputs of a batch, shortened: what someone needs who looks for the cause. */
function inputsText(batch: Batch): string {
  const lines = recordsIn(batch).filter(({ kind }) => kind !== 'checkpoint').map(recordLine)
  const more = lines.length > INPUTS_SHOWN ? ` and ${lines.length - INPUTS_SHOWN} more` : ''
  return lines.length === 0 ? 'no records' : lines.slice(0, INPUTS_SHOWN).map((line) => `«${line}»`).join(' ') + more
}

function hex(word: number): string {
  return (word >>> 0).toString(16).padStart(8, '0')
}
