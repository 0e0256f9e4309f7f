/**
 * @packageDocumentation
 * The steppers of a replay: the compiled charts, counted, and beside them XState's interpreter on the charts
 * themselves. What is wrong in generated code shows here, as an event after which the two sides differ.
 *
 *   core ─ fire ─► count ─► generated step ─┐
 *                           ChartInterpreter ┴─ differ? ─► onDifference(chart, divergence)
 *
 * A core that was restored from a checkpoint has requests in the middle of their lives: at its first event the
 * interpreter's slot takes over the whole context from the columns, afterwards only what the intake writes.
 */
import type { QueueCore } from '../core/queue-core.js'
import { compiledSteppers } from '../core/steppers.js'
import type { Steppers } from '../core/steppers.js'
import { boundAtFirstCall, compileChart, shadowStepper } from '../machines/compile/index.js'
import type { CompiledChart, Divergence, FlatContext } from '../machines/compile/index.js'
import { queueMachine } from '../machines/queue.machine.js'
import { REQUEST_KINDS, requestMachine } from '../machines/request.machine.js'

export interface ReplaySteppers {
  readonly steppers: Steppers
  /** Transitions so far. */
  readonly count: { transitions: number }
}

/** How a replay steps. */
export interface StepperOptions {
  /** What runs; the compiled charts unless a test gives others. */
  readonly generated?: Steppers
  /** Whether XState runs beside it. */
  readonly shadow: boolean
  readonly onDifference: (chart: 'request' | 'queue', difference: Divergence) => void
}

let compiledOnce: { readonly request: CompiledChart; readonly queue: CompiledChart } | undefined

/** Names of the charts' numbers; worked out once, because it takes some ten milliseconds. */
function compiledCharts() {
  compiledOnce ??= { request: compileChart(requestMachine), queue: compileChart(queueMachine) }
  return compiledOnce
}

/** Steppers for one core; `coreOf` is asked at the first event. */
export function replaySteppers(options: StepperOptions, coreOf: () => QueueCore): ReplaySteppers {
  const generated = options.generated ?? compiledSteppers
  const count = { transitions: 0 }
  const counted = (steppers: Steppers): Steppers => ({
    request: (host, slot, event) => {
      count.transitions++
      return steppers.request(host, slot, event)
    },
    queue: (host, slot, event) => {
      count.transitions++
      return steppers.queue(host, slot, event)
    },
  })
  if (!options.shadow) return { steppers: counted(generated), count }
  const { request, queue } = compiledCharts()
  const steppers: Steppers = {
    request: boundAtFirstCall((host) =>
      shadowStepper({
        chart: requestMachine, names: request, generated: generated.request, host, given: contextGiver(coreOf()),
        onDivergence: (difference) => options.onDifference('request', difference),
      }),
    ),
    queue: boundAtFirstCall((host) =>
      shadowStepper({
        chart: queueMachine, names: queue, generated: generated.queue, host,
        onDivergence: (difference) => options.onDifference('queue', difference),
      }),
    ),
  }
  return { steppers: counted(steppers), count }
}

function contextGiver(core: QueueCore): (slot: number) => FlatContext {
  const known = new Uint8Array(core.slots)
  return (slot) => {
    const given = { kind: REQUEST_KINDS[core.kind[slot]] ?? REQUEST_KINDS[0], parts: core.parts[slot] }
    if (known[slot] !== 0) return given
    known[slot] = 1
    return { ...given, outstanding: core.outstanding[slot], failed: core.failed[slot] !== 0 }
  }
}
