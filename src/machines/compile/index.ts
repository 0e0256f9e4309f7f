/**
 * @packageDocumentation
 * What the rest of the program uses of the compiler; the parts are described in their own files.
 *
 *   chart ─ compileChart ─► CompiledChart ─ emitStep ─► generated/<name>.ts     (build time: `npm run charts`)
 *   chart ─ requireCurrentChart(hash in generated/<name>.ts)                    (at start)
 *   Stepper = generatedStepper | pooledActors | shadowStepper                   (run time)
 */
export { compileChart, MAX_STATES, nameOfValue } from './compile.js'
export type { CompiledChart, Decision } from './compile.js'
export { emitStep } from './emit.js'
export { mixDigest } from './digest.js'
export { chartHash, configOf, requireCurrentChart } from './hash.js'
export { ChartInterpreter, pooledActors } from './interpret.js'
export type { Interpretation, StepHost, Stepper } from './interpret.js'
export { boundAtFirstCall, generatedStepper, recordingHost, shadowStepper } from './steppers.js'
export type { ChartNames, Divergence, GeneratedStep, ShadowOptions } from './steppers.js'
export type { Chart, FlatContext } from './xstate-view.js'
