/**
 * @packageDocumentation
 * A linter's report for people: a paragraph for each finding with its evidence, a table of all rules, and last what
 * nobody could judge.
 */
import type { Finding } from '../../lint/findings.js'
import type { LintReport } from '../../lint/lint.js'
import type { Rule } from '../../lint/rule.js'
import { renderTable } from '../table.js'
import { formatCount } from '../units.js'

/** The findings, the worst first. */
export function findingsText({ findings }: LintReport): string {
  return findings.map(findingText).join('\n')
}

function findingText(finding: Finding): string {
  const { device, rule, severity, section, what, cure, count, evidence, explains } = finding
  const times = count === 1 ? 'once' : `${formatCount(count)} times`
  const lines = evidence.map(({ journal, segment, batch, record, date, text }) => {
    return `    ${journal} segment ${segment} batch ${batch} record ${record}  ${date}\n      ${text}\n`
  })
  const more = count > evidence.length ? `    and ${formatCount(count - evidence.length)} more\n` : ''
  const consequences = Object.entries(explains).map(([name, times]) => `${formatCount(times)} of ${name}`)
  const also = consequences.length > 0 ? `    this explains ${consequences.join(' and ')}\n` : ''
  const head = `${severity} ${rule}: ${device} ${what}, ${times} (${section})\n`
  return `${head}${lines.join('')}${more}${also}    cure: ${cure}\n`
}

/** One line: how much was judged, and how it went. */
export function summaryText({ devices, findings }: LintReport): string {
  const requests = devices.reduce((sum, device) => sum + device.requests, 0)
  const of = (severity: Finding['severity']) => findings.filter((finding) => finding.severity === severity).length
  const counts = (['error', 'warning', 'note'] as const).filter((severity) => of(severity) > 0).map((severity) => {
    return `${of(severity)} ${severity}${of(severity) === 1 ? '' : 's'}`
  })
  const fronts = devices.length === 1 ? '1 front end' : `${devices.length} front ends`
  const sum = counts.length === 0 ? 'nothing to blame' : counts.join(', ')
  return `${fronts}, ${formatCount(requests)} requests: ${sum}\n`
}

/** Which rules could not be judged, by the reason. */
export function unjudgedByReason({ unjudged }: LintReport): Map<string, string[]> {
  const reasons = new Map<string, string[]>()
  for (const { rule, why } of unjudged) reasons.set(why, [...(reasons.get(why) ?? []), rule])
  return reasons
}

/** All rules. */
export function rulesText(rules: readonly Rule[]): string {
  const titles = ['RULE', 'SEVERITY', 'A FRONT END THAT', 'WHERE IT IS WRITTEN'].map((title) => ({ title }))
  return renderTable(titles, rules.map(({ name, severity, what, section }) => [name, severity, what, section]))
}
