/**
 * @packageDocumentation
 * All rules, in the order in which they are told of. docs/lint.md has the same table; a test holds it to that.
 */
import type { Rule, RuleGroup } from '../rule.js'
import { discards } from './discards.js'
import { grants } from './grants.js'
import { ids } from './ids.js'
import { indirect } from './indirect.js'
import { keys } from './keys.js'
import { notifications } from './notifications.js'
import { requests } from './requests.js'
import { ring } from './ring.js'
import { sectors } from './sectors.js'
import { states } from './states.js'

export const ruleGroups: readonly RuleGroup[] = [
  states, keys, ring, ids, grants, requests, sectors, discards, indirect, notifications,
]

export const rules: readonly Rule[] = ruleGroups.flatMap((group) => group.rules)
