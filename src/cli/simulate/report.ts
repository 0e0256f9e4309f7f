/**
 * @packageDocumentation
 * What `xbbd simulate` says of its runs: a table of sums, and of each failure what was broken and how to see it again.
 */
import type { Outcome } from '../../sim/family.js'
import { renderTable, type Column } from '../table.js'
import { formatCount } from '../units.js'
import type { CampaignReport, FamilySum } from './campaign.js'

/** Violations of one run that are shown. */
const SHOWN = 5

const COLUMNS: readonly Column[] = [
  { title: 'FAMILY' },
  ...['RUNS', 'FAILED', 'ENTRIES', 'HOSTILE', 'ANSWERS', 'KILLS'].map((title): Column => ({ title, align: 'right' })),
  { title: 'DIGEST' },
]

/** The table, and how long it took. */
export function campaignText({ sums, elapsedMs }: CampaignReport): string {
  const runs = sums.reduce((sum, one) => sum + one.runs, 0)
  const pace = `${runs} runs in ${(elapsedMs / 1000).toFixed(1)} s`
  return `${renderTable(COLUMNS, sums.map(rowOf))}${pace}\n`
}

function rowOf({ family, runs, failed, counts, digest }: FamilySum): string[] {
  const numbers = [counts.entries, counts.hostile, counts.answers, counts.kills]
  const cells = numbers.map((count) => formatCount(count ?? 0))
  return [family, `${runs}`, failed === 0 ? '-' : `${failed}`, ...cells, hex(digest)]
}

/** For `--json`. */
export function campaignValue({ sums, failures, elapsedMs }: CampaignReport): unknown {
  return {
    families: sums.map((sum) => ({ ...sum, digest: hex(sum.digest) })),
    failures: failures.map((failure) => ({ ...failure, command: commandOf(failure) })),
    elapsedMs: Math.round(elapsedMs),
  }
}

/** What repeats a run. */
export function commandOf({ seed, family }: Pick<Outcome, 'seed' | 'family'>): string {
  return `xbbd simulate --seed ${seed} --family ${family}`
}

/** One failure, for people. */
export function failureText(outcome: Outcome): string {
  const { violations } = outcome
  const lines = violations.slice(0, SHOWN).map(({ law, sentence, step }) => `  step ${step}: ${law}: ${sentence}`)
  if (violations.length > SHOWN) lines.push(`  and ${violations.length - SHOWN} more`)
  return `${[`FAILED: ${commandOf(outcome)}`, ...lines].join('\n')}\n`
}

/** One run, for people. */
export function outcomeText(outcome: Outcome): string {
  const counts = Object.entries(outcome.counts).map(([name, count]) => `${count} ${name}`)
  const verdict = `${outcome.family}, seed ${outcome.seed}: ${counts.join(', ')}; digest ${outcome.digest}`
  if (outcome.violations.length === 0) return `${verdict}; no law broken\n`
  return `${verdict}\n${failureText(outcome)}`
}

function hex(digest: bigint): string {
  return digest.toString(16).padStart(16, '0')
}
