/**
 * @packageDocumentation
 * `xbbd replay --diff A B`: where two recordings part, for people and as JSON. The comparison itself is
 * journal/diff.ts; here its findings become lines, the earliest first, and the status: 1 when they part.
 */
import type { JournalChain } from '../../journal/chain.js'
import { diffRecordings } from '../../journal/diff.js'
import type { ContentDifference, Happening, RecordingDiff } from '../../journal/diff.js'
import { json, type CommandContext } from '../commands/context.js'

/** Compares and prints. */
export function showDiff(
  context: CommandContext, a: readonly JournalChain[], b: readonly JournalChain[], asJson: boolean,
): void {
  const diff = diffRecordings(a, b)
  if (!diff.same) context.status = 1
  context.terminal.out(asJson ? json(diff) : diffText(diff))
  if (!asJson) for (const note of diff.notes) context.terminal.note(note)
}

/** The report: first the earliest difference, then those of other kinds. */
export function diffText({ same, differences, compared }: RecordingDiff): string {
  if (same) return `both recordings hold the same: ${compared} happenings compared\n`
  if (differences.length === 0) return 'there is nothing that both recordings have\n'
  return differences.map(differenceText).join('')
}

function differenceText({ journal, kind, index, a, b }: ContentDifference): string {
  return `${journal}, ${kind}: the first ${index} are the same, then\n  A  ${sideText(a)}\n  B  ${sideText(b)}\n`
}

function sideText(happening: Happening | undefined): string {
  return happening === undefined ? 'ends' : `batch ${happening.batch}: ${happening.text}`
}
