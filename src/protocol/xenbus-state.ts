/**
 * @packageDocumentation
 * XenbusState: the number in a device's node `state`, by which both ends tell each other where they stand
 * (xen/include/public/io/xenbus.h). The names are spelled as Xen spells them.
 *
 *   1 Initialising ► 2 InitWait ► 3 Initialised ► 4 Connected ► 5 Closing ► 6 Closed   (7, 8: Reconfiguring, -ed)
 *
 * A node that is not there, or is empty, reads as Unknown: that is how a vanished device looks (S28). Text that is no
 * state at all is guest nonsense and comes back as a sentence; it must never be taken for some state.
 */

export const XENBUS_STATES = [
  'Unknown',
  'Initialising',
  'InitWait',
  'Initialised',
  'Connected',
  'Closing',
  'Closed',
  'Reconfiguring',
  'Reconfigured',
] as const

export type XenbusState = (typeof XENBUS_STATES)[number]

export type XenbusStateResult =
  | { readonly ok: true; readonly state: XenbusState }
  | { readonly ok: false; readonly sentence: string }

/** The state that `value`, as read from XenStore, stands for; undefined (no such node) is Unknown. */
export function parseXenbusState(value: string | undefined): XenbusStateResult {
  const text = value?.trim() ?? ''
  if (text === '') return { ok: true, state: 'Unknown' }
  const state = /^\d$/.test(text) ? XENBUS_STATES[Number(text)] : undefined
  if (state !== undefined) return { ok: true, state }
  return { ok: false, sentence: `state is ${JSON.stringify(text.slice(0, 40))}, but states are the numbers 0 to 8` }
}

/** The number of a state, 0 to 8. */
export function xenbusStateNumber(state: XenbusState): number {
  return XENBUS_STATES.indexOf(state)
}

/** What is written to a node `state`. */
export function xenbusStateValue(state: XenbusState): string {
  return String(xenbusStateNumber(state))
}
