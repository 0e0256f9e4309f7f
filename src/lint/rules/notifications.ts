/**
 * @packageDocumentation
 * Rules that a journal cannot judge, kept here so that nobody takes silence for praise: a journal holds what was taken
 * from the ring and not what rang; a notification that finds nothing new leaves no batch.
 */
import type { Rule, RuleGroup } from '../rule.js'

const why = 'a journal holds what stood on the ring when it was looked at, not which notifications came'

const NOTIFY_NEEDLESS: Rule = {
  name: 'notify-needless',
  severity: 'note',
  section: 'io/ring.h, RING_PUSH_REQUESTS_AND_CHECK_NOTIFY',
  what: 'notifies although req_event did not ask for it',
  cure: 'notify only when RING_PUSH_REQUESTS_AND_CHECK_NOTIFY says so',
  unjudged: why,
}

const NOTIFY_MISSING: Rule = {
  name: 'notify-missing',
  severity: 'error',
  section: 'io/ring.h, RING_PUSH_REQUESTS_AND_CHECK_NOTIFY',
  what: 'does not notify although req_event asked for it',
  cure: 'store req_prod, then a full barrier, then read req_event: without the barrier a request may wait for ever',
  unjudged: why,
}

export const notifications: RuleGroup = { rules: [NOTIFY_NEEDLESS, NOTIFY_MISSING] }
