/**
 * @packageDocumentation
 * What a bench hands back: a title, a table for people, rows for machines. Printing is main.ts's affair.
 */
import type { Column } from '../src/cli/table.js'

export interface Section {
  /** As `--only` calls it. */
  readonly name: string
  readonly title: string
  readonly columns: readonly Column[]
  readonly table: readonly (readonly string[])[]
  /** What a reader must know to understand the table, one sentence each. */
  readonly notes: readonly string[]
  /** The figures as they were measured, for --json. */
  readonly rows: readonly object[]
}

/** Where a bench says what it does now. */
export type Say = (sentence: string) => void

/** Columns by title; those whose title begins with `|` lean left. */
export function columns(...titles: readonly string[]): Column[] {
  return titles.map((title) =>
    title.startsWith('|') ? { title: title.slice(1) } : { title, align: 'right' },
  )
}
