/**
 * @packageDocumentation
 * The ring itself: a producer index that says more than the ring can hold, or less than it said before. Nothing behind
 * it can be believed, so the back end closes the device.
 */
import { COMMAND_RING_BROKEN } from '../../core/records.js'
import type { Rule, RuleGroup } from '../rule.js'

const RING_OVERRUN: Rule = {
  name: 'ring-overrun',
  severity: 'error',
  section: 'io/ring.h, RING_REQUEST_PROD_OVERFLOW',
  what: 'produces more requests than the ring holds, or takes some back',
  cure: 'write req_prod only through RING_PUSH_REQUESTS, and never while RING_FULL; initialise a ring once, before 3',
}

export const ring: RuleGroup = {
  rules: [RING_OVERRUN],
  queue: (blame, scene) => ({
    command: (code, argument) => {
      if (code !== COMMAND_RING_BROKEN) return
      const { reqCons, rspProd } = scene.core()
      blame(RING_OVERRUN, () => `req_prod ${argument >>> 0}; consumed ${reqCons >>> 0}, answered ${rspProd >>> 0}`)
    },
  }),
}
