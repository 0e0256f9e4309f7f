/**
 * @packageDocumentation
 * Ids: the front end's own affair, echoed in the answer and nothing else. One that stands for two requests at once is
 * answered twice, and the front end cannot know which of them was meant.
 */
import { COMMAND_ABANDON, COMMAND_ATTACH, COMMAND_DETACH } from '../../core/records.js'
import { decodeRecord, recordLine } from '../../journal/describe-record.js'
import { RECORD_ID } from '../../protocol/record.js'
import { u64ToDouble, u64ToString } from '../../protocol/u64.js'
import type { Rule, RuleGroup } from '../rule.js'

const ID_REUSED: Rule = {
  name: 'id-reused',
  severity: 'warning',
  section: 'io/blkif.h, struct blkif_request (id)',
  what: 'gives a request the id of another one that is outstanding',
  cure: 'use an id again only when the request that has it was answered: answers may come in any order',
}

/** Exact as a number below 2^53; text above. */
const keyOf = (low: number, high: number) => (high >>> 0 < 1 << 21 ? u64ToDouble(low, high) : u64ToString(low, high))

export const ids: RuleGroup = {
  rules: [ID_REUSED],
  queue: (blame) => {
    const owners = new Map<number | string, number>()
    const named = new Map<number, number | string>()
    const release = (slot: number) => {
      const id = named.get(slot)
      if (id !== undefined && owners.get(id) === slot) owners.delete(id)
      named.delete(slot)
    }
    return {
      taken: (words, at, slot) => {
        release(slot)
        const id = keyOf(words[at + RECORD_ID], words[at + RECORD_ID + 1])
        if (owners.has(id)) blame(ID_REUSED, () => recordLine(decodeRecord(words, at)))
        owners.set(id, slot)
        named.set(slot, id)
      },
      answered: release,
      command: (code) => {
        if (code !== COMMAND_ABANDON && code !== COMMAND_ATTACH && code !== COMMAND_DETACH) return
        owners.clear()
        named.clear()
      },
    }
  },
}
