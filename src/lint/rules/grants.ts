/**
 * @packageDocumentation
 * Grants: a page that two requests use at once, and a page that the back end may not touch at all.
 *
 * Whoever dies takes his grants with him, and what was in flight fails: that is no fault. So a failed copy is held back
 * until another one goes well, which shows that the guest lives, and dropped when it turns out to have vanished. The
 * same page twice within one request is allowed, and may even be meant (a page of zeroes, written again and again).
 */
import { COMMAND_ABANDON, COMMAND_ATTACH, COMMAND_DETACH } from '../../core/records.js'
import { decodeRecord, recordLine } from '../../journal/describe-record.js'
import { opName } from '../../protocol/blkif.js'
import { recordedSegments, segmentsAt } from '../../protocol/record.js'
import { u64ToString } from '../../protocol/u64.js'
import type { Place, Rule, RuleGroup } from '../rule.js'

const GRANT_REUSED: Rule = {
  name: 'grant-reused',
  severity: 'warning',
  section: 'io/blkif.h, struct blkif_request_segment (gref)',
  what: 'names a page in a request while another request that names it is outstanding',
  cure: 'use a page again only when the request that names it was answered: until then either may fill it',
}

const GRANT_BAD: Rule = {
  name: 'grant-bad',
  severity: 'error',
  section: 'grant_table.h, GNTST_bad_gntref and GTF_permit_access',
  what: 'names a page that the back end may not read or write',
  cure: 'grant the page to the back end (for writing when it is read into), and revoke it only after the answer',
}

/** Failures that are held back at a time; what is beyond is blamed at once. */
const HELD_MAX = 256

interface Held {
  readonly place: Place
  readonly text: string
}

export const grants: RuleGroup = {
  rules: [GRANT_REUSED, GRANT_BAD],
  queue: (blame, scene) => {
    /** By reference: the slot whose request names it. */
    const owners = new Map<number, number>()
    const named = new Map<number, number[]>()
    let held: Held[] = []
    const release = (slot: number) => {
      for (const gref of named.get(slot) ?? []) if (owners.get(gref) === slot) owners.delete(gref)
      named.delete(slot)
    }
    const tell = () => {
      for (const { place, text } of held) blame(GRANT_BAD, () => text, place)
      held = []
    }
    return {
      taken: (words, at, slot, verdict) => {
        if (verdict !== 0) return
        release(slot)
        const list: number[] = []
        const first = segmentsAt(words, at)
        let reused: number | undefined
        for (let segment = 0; segment < recordedSegments(words, at); segment++) {
          const gref = words[at + first + 2 * segment] >>> 0
          const owner = owners.get(gref)
          if (owner !== undefined && owner !== slot) reused ??= gref
          owners.set(gref, slot)
          list.push(gref)
        }
        named.set(slot, list)
        if (reused !== undefined)
          blame(GRANT_REUSED, () => `${recordLine(decodeRecord(words, at))}, gref ${reused} is outstanding`)
      },
      copyFailed: (slot) => {
        const core = scene.core()
        const id = u64ToString(core.idLow[slot], core.idHigh[slot])
        const text = `${opName(core.op[slot])} id ${id} sector ${core.sector[slot]}: a page could not be copied`
        if (held.length >= HELD_MAX) tell()
        held.push({ place: blame.here(), text })
      },
      copied: tell,
      answered: release,
      command: (code) => {
        if (code === COMMAND_ABANDON) held = []
        if (code !== COMMAND_ABANDON && code !== COMMAND_ATTACH && code !== COMMAND_DETACH) return
        owners.clear()
        named.clear()
      },
      end: tell,
    }
  },
}
