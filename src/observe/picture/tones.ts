/**
 * @packageDocumentation
 * The one language of colours of all pictures: blue is Xen's word (a state that stands in XenStore under that very
 * name), green is ours, red is what went wrong or is being given up. It is kept here and not in the charts, because a
 * colour is no law: a chart's hash, which every journal carries, must not change with it.
 */
import { XENBUS_STATES } from '../../protocol/xenbus-state.js'
import type { NodeView } from '../../machines/compile/xstate-view.js'
import { pathOf } from '../chart-words.js'
import type { Tone } from './scene.js'

/** Paths of the states that are red; a test fails when a chart has not, or not any more, the state. */
export const FAILURES: Readonly<Record<string, readonly string[]>> = {
  request: ['Rejected', 'Orphaned', 'Abandoned'],
  queue: ['Abandoning', 'Broken'],
  device: [
    'Failed', 'Connected.medium.Gone', 'Closing.abandoning', 'Parking.abandoning', 'Closed.orphaned',
  ],
  medium: ['Gone'],
  supervisor: ['Salvaging', 'GaveUp'],
}

/** Only the device's outermost states are what the front end reads; elsewhere the same word means something else. */
export function toneOf(chart: string, node: NodeView): Tone {
  if (FAILURES[chart]?.includes(pathOf(node))) return 'failure'
  const isOutermost = chart === 'device' && node.path.length === 1
  return isOutermost && (XENBUS_STATES as readonly string[]).includes(node.key) ? 'xen' : 'ours'
}
