/**
 * @packageDocumentation
 * What was found, grouped by device and rule: how often, the first few times word by word. Bounded, however long a
 * journal is and however bad its front end. What another finding explains is counted there and not shown on its own.
 */
import { dateOf } from '../journal/cat.js'
import type { JournalIdentity } from '../journal/format.js'
import { SEVERITIES } from './rule.js'
import type { Place, Rule, Severity } from './rule.js'

/** One time that a rule was broken. */
export interface Evidence extends Place {
  /** The same moment as a date. */
  readonly date: string
  readonly text: string
}

export interface Finding {
  readonly device: string
  readonly rule: string
  readonly severity: Severity
  readonly section: string
  readonly what: string
  readonly cure: string
  readonly count: number
  /** The first ones. */
  readonly evidence: readonly Evidence[]
  /** Findings of other rules that are its consequences: how many of each. */
  readonly explains: Readonly<Record<string, number>>
}

export const EVIDENCE_MAX = 5

interface Group {
  readonly device: string
  readonly rule: Rule
  count: number
  readonly evidence: Evidence[]
}

export class Findings {
  private readonly groups = new Map<string, Group>()

  add(device: string, rule: Rule, identity: JournalIdentity, place: Place, text: () => string): void {
    const key = `${device} ${rule.name}`
    let group = this.groups.get(key)
    if (group === undefined) this.groups.set(key, (group = { device, rule, count: 0, evidence: [] }))
    group.count++
    if (group.evidence.length < EVIDENCE_MAX)
      group.evidence.push({ ...place, date: dateOf(identity, place.timeNs), text: text() })
  }

  /** The worst first, then by device and in the order in which they came. */
  list(): Finding[] {
    const explained = new Map<string, Record<string, number>>()
    const hidden = new Set<string>()
    for (const [key, { device, rule }] of this.groups) {
      const consequences: Record<string, number> = {}
      for (const name of rule.explains ?? []) {
        const other = this.groups.get(`${device} ${name}`)
        if (other === undefined) continue
        consequences[name] = other.count
        hidden.add(`${device} ${name}`)
      }
      explained.set(key, consequences)
    }
    const shown = [...this.groups].filter(([key]) => !hidden.has(key))
    const findings = shown.map(([key, { device, rule, count, evidence }]): Finding => {
      const { name, severity, section, what, cure } = rule
      return { device, rule: name, severity, section, what, cure, count, evidence, explains: explained.get(key) ?? {} }
    })
    const rank = ({ severity }: Finding) => SEVERITIES.indexOf(severity)
    return findings.sort((a, b) => rank(a) - rank(b) || (a.device < b.device ? -1 : a.device > b.device ? 1 : 0))
  }
}
