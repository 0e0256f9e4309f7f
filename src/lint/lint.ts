/**
 * @packageDocumentation
 * Judges front ends by what a back end recorded of them: every device of a set of journals, its own journal first and
 * those of its queues after it, each read once. What cannot be judged is said, never passed over.
 *
 *   chains ─ by device ─► readDevice ─► timeline ─► readQueue ─► Findings ─► LintReport
 */
import type { JournalChain } from '../journal/chain.js'
import { Findings } from './findings.js'
import type { Finding } from './findings.js'
import { DeviceTimeline, readDevice } from './read-device.js'
import { readQueue } from './read-queue.js'
import type { Blame, Place, Rule } from './rule.js'
import { ruleGroups, rules } from './rules/index.js'

/** A rule about which nothing can be said. */
export interface Unjudged {
  readonly rule: string
  readonly why: string
}

export interface JudgedDevice {
  readonly device: string
  readonly requests: number
}

export interface LintReport {
  readonly devices: readonly JudgedDevice[]
  readonly findings: readonly Finding[]
  readonly unjudged: readonly Unjudged[]
  /** What of the journals is damaged, missing or of charts that are not known. */
  readonly problems: readonly string[]
  /** No error and no warning. */
  readonly clean: boolean
}

const PROBLEMS_MAX = 100

/** The device that a journal belongs to: `vbd/5/51712/q0` is of `vbd/5/51712`. */
function deviceOf({ journal, identity }: JournalChain): string | undefined {
  if (identity.kind === 'queue') return journal.replace(/\/q\d+$/, '')
  return journal.includes('/') ? journal : undefined
}

/** Judges all devices of these journals. */
export function lintChains(chains: readonly JournalChain[]): LintReport {
  const devices = new Map<string, JournalChain[]>()
  for (const chain of chains) {
    const device = deviceOf(chain)
    if (device !== undefined) devices.set(device, [...(devices.get(device) ?? []), chain])
  }
  const findings = new Findings()
  const problems: string[] = []
  const problem = (sentence: string) => {
    if (problems.length < PROBLEMS_MAX && !problems.includes(sentence)) problems.push(sentence)
  }
  const judged: JudgedDevice[] = []
  const granularityUnknown: string[] = []
  for (const [device, own] of devices) {
    const linter = new DeviceLinter(device, findings, problem)
    judged.push({ device, requests: linter.judge(own) })
    if (linter.discardUnknown) granularityUnknown.push(device)
  }
  const list = findings.list()
  const clean = list.every(({ severity }) => severity === 'note')
  return { devices: judged, findings: list, unjudged: unjudged(granularityUnknown), problems, clean }
}

function unjudged(granularityUnknown: readonly string[]): Unjudged[] {
  const never = rules.flatMap(({ name, unjudged: why }) => (why === undefined ? [] : [{ rule: name, why }]))
  if (granularityUnknown.length === 0) return never
  const why = `the journal of the device itself is not there, of ${granularityUnknown.join(', ')}`
  return [...never, { rule: 'discard-granularity', why }, { rule: 'closed-busy', why }]
}

class DeviceLinter {
  discardUnknown = false
  private readonly device: string
  private readonly findings: Findings
  private readonly problem: (sentence: string) => void
  private place: Place | undefined

  constructor(device: string, findings: Findings, problem: (sentence: string) => void) {
    this.device = device
    this.findings = findings
    this.problem = problem
  }

  /** @returns how many requests were judged. */
  judge(chains: readonly JournalChain[]): number {
    const timeline = new DeviceTimeline()
    const at = (place: Place) => void (this.place = place)
    const { problem } = this
    for (const chain of chains.filter(({ identity }) => identity.kind === 'actor')) {
      const watches = ruleGroups.flatMap((group) => group.device?.(this.blameIn(chain)) ?? [])
      readDevice(chain, { watches, timeline, at, problem })
    }
    let requests = 0
    for (const chain of chains.filter(({ identity }) => identity.kind === 'queue')) {
      const { boot, monotonicNs } = chain.identity
      const discard = timeline.discardAt(boot, monotonicNs)
      this.discardUnknown ||= discard === undefined
      const frontState = (timeNs: number) => timeline.stateAt(boot, timeNs)
      const blame = this.blameIn(chain)
      requests += readQueue(chain, {
        watches: (core) => ruleGroups.flatMap((group) => group.queue?.(blame, { core, discard, frontState }) ?? []),
        at,
        problem,
      })
    }
    return requests
  }

  private blameIn({ journal, run, identity }: JournalChain): Blame {
    const nowhere: Place = { journal, run, segment: 0, batch: 0, record: 0, timeNs: identity.monotonicNs }
    const here = () => this.place ?? nowhere
    const blame = (rule: Rule, text: () => string, place = here()) =>
      this.findings.add(this.device, rule, identity, place, text)
    return Object.assign(blame, { here })
  }
}
