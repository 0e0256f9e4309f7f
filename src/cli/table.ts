/**
 * @packageDocumentation
 * Aligned tables for people, as `list`, `journal cat` and the bench print them. Columns are as wide as their widest
 * cell, two blanks apart, numbers to the right; nothing is cut, nothing depends on the terminal's width, so that
 * `grep` and `awk` find the same text whether it goes to a terminal or to a pipe. Beside every table stands `--json`.
 * Widths are counted in code points (our texts have µ and –, no double-width characters). Control characters, which a
 * guest can put into XenStore, never reach the terminal: they are printed as «·».
 */

/** One column: its title and to which side its cells lean. */
export interface Column {
  readonly title: string
  readonly align?: 'left' | 'right'
}

/** The whole table as one text with a newline after each line; only the titles when there are no rows. */
export function renderTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
  const titles = columns.map(({ title }) => title)
  const cells = [titles, ...rows.map((row) => columns.map((_, index) => printable(row[index] ?? '')))]
  const widths = columns.map((_, index) => Math.max(...cells.map((row) => width(row[index]))))
  return cells.map((row) => `${row.map(pad).join('  ').trimEnd()}\n`).join('')

  function pad(cell: string, index: number): string {
    const blanks = ' '.repeat(widths[index] - width(cell))
    return columns[index].align === 'right' ? blanks + cell : cell + blanks
  }
}

/** `text` without what would move a terminal's cursor or colour it (C0, DEL, C1). */
export function printable(text: string): string {
  return [...text].map((char) => (isControl(char.codePointAt(0) ?? 0) ? '·' : char)).join('')
}

function isControl(code: number): boolean {
  return code < 0x20 || (code >= 0x7f && code < 0xa0)
}

function width(text: string): number {
  return [...text].length
}
