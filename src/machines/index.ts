/**
 * @packageDocumentation
 * Every chart of the program, once. The generator, the tests and `xbbd chart` go through this list, so that no chart
 * can exist without a picture, a description of every edge, and (if it is compiled) proof of its compilation.
 *
 * What must never happen: an import of generated code from here or from a chart. The generator runs from this list,
 * and it must run when the generated files do not fit the charts any more.
 */
import type { Chart, FlatContext } from './compile/index.js'
import { connectionMachine } from './connection.machine.js'
import { deviceMachine } from './device.machine.js'
import { mediumMachine } from './medium.machine.js'
import { queueContextDomain, queueMachine } from './queue.machine.js'
import { requestContextDomain, requestMachine } from './request.machine.js'
import { supervisorMachine } from './supervisor.machine.js'

/** For each context key the finite values over which agreement is proved. */
export type ContextDomain = Readonly<Record<string, readonly unknown[]>>

/** One chart and what is done with it. */
export interface ChartEntry {
  readonly name: string
  readonly chart: Chart
  /** Whether it runs as generated code. */
  readonly compiled: boolean
  /** Required of compiled charts; empty for a chart without context. */
  readonly contextDomain?: ContextDomain
}

export const charts: readonly ChartEntry[] = [
  { name: 'request', chart: requestMachine, compiled: true, contextDomain: requestContextDomain },
  { name: 'queue', chart: queueMachine, compiled: true, contextDomain: queueContextDomain },
  { name: 'device', chart: deviceMachine, compiled: false },
  { name: 'medium', chart: mediumMachine, compiled: false },
  { name: 'connection', chart: connectionMachine, compiled: false },
  { name: 'supervisor', chart: supervisorMachine, compiled: false },
]

/** Every combination of a domain's values. */
export function contextsOf(domain: ContextDomain): FlatContext[] {
  return Object.entries(domain).reduce<FlatContext[]>(
    (contexts, [key, values]) => contexts.flatMap((context) => values.map((value) => ({ ...context, [key]: value }))),
    [{}],
  )
}
