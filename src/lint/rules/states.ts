/**
 * @packageDocumentation
 * The states that a front end goes through. A watch says only that something has changed, so a state that was short may
 * never have been seen; what is judged here cannot be explained by that: each of these steps waits for the back end.
 *
 *   1 ─► 3 ─► 4 ─► 5 ─► 6 ─► 1        4 ► 6 and 6 ► 3 may be steps that nobody saw, 4 ► 3 is a resume in place
 */
import { COMMAND_DRAIN } from '../../core/records.js'
import { xenbusStateNumber } from '../../protocol/xenbus-state.js'
import type { XenbusState } from '../../protocol/xenbus-state.js'
import type { Rule, RuleGroup } from '../rule.js'

const SECTION = 'io/blkif.h, STATE DIAGRAMS'

const STATE_SKIPPED: Rule = {
  name: 'state-skipped',
  severity: 'note',
  section: SECTION,
  what: 'goes to Connected without Initialised',
  cure: 'write 3 when the keys stand there, wait for the back end’s 4, and write 4 then; some back ends wait for the 3',
}

const STATE_RESTARTED: Rule = {
  name: 'state-restarted',
  severity: 'note',
  section: SECTION,
  what: 'begins again without having closed',
  cure: 'close first (5, 6), where there is time for it: what was outstanding is abandoned',
}

const STATE_ORDER: Rule = {
  name: 'state-order',
  severity: 'warning',
  section: SECTION,
  what: 'goes from one state to another that cannot follow it',
  cure: 'go 1, 3, 4, 5, 6, and back to 1; 2 is the back end’s',
}

const CLOSED_BUSY: Rule = {
  name: 'closed-busy',
  severity: 'warning',
  section: SECTION,
  what: 'says Closed while requests are outstanding',
  cure: 'say Closing, wait until everything is answered, and say Closed then: until that the back end uses its pages',
}

/** From → to, by number, that no coalesced watch explains. */
const WRONG: Readonly<Record<number, readonly number[]>> = {
  1: [2, 7, 8], 3: [2, 7, 8], 4: [2, 7, 8], 5: [2, 3, 4, 7, 8], 6: [2, 4, 5, 7, 8],
}

export const states: RuleGroup = {
  rules: [STATE_SKIPPED, STATE_RESTARTED, STATE_ORDER, CLOSED_BUSY],
  device: (blame) => ({
    state: (state, before) => {
      if (before === undefined || before === state) return
      const text = () => `${before} (${xenbusStateNumber(before)}) to ${state} (${xenbusStateNumber(state)})`
      const [from, to] = [xenbusStateNumber(before), xenbusStateNumber(state)]
      if (from === 1 && to === 4) blame(STATE_SKIPPED, text)
      else if ((from === 4 || from === 3) && to === 1) blame(STATE_RESTARTED, text)
      else if (WRONG[from]?.includes(to)) blame(STATE_ORDER, text)
    },
  }),
  queue: (blame, scene) => ({
    command: (code) => {
      if (code !== COMMAND_DRAIN) return
      const state: XenbusState | undefined = scene.frontState(blame.here().timeNs)
      const count = outstanding(scene.core())
      if (state === 'Closed' && count > 0) blame(CLOSED_BUSY, () => `${count} requests are outstanding`)
    },
  }),
}

/** Requests that were taken and not answered: the ring's own difference, since each has its answer. */
function outstanding({ reqCons, rspProd }: { readonly reqCons: number; readonly rspProd: number }): number {
  return (reqCons - rspProd) >>> 0
}
