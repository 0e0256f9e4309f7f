/**
 * @packageDocumentation
 * From a little markup to the man(7) macros that every `man` understands, mandoc's as well as groff's:
 *
 *   ## NAME        .SH           - TERM :: TEXT      .TP            `bold`   _italic_
 *   ### Name       .SS           (indented lines)    .EX … .EE      everything else: paragraphs
 *
 * Text never becomes a macro by accident: a line that begins with a dot or a quote is shielded, a backslash escaped.
 */

/** The body of a page, without its title line. */
export function roffOf(markup: string): string {
  return blocksOf(markup)
    .map(blockText)
    .join('')
    .replaceAll(/^(\.S[HS] .*\n)\.PP\n/gm, '$1') // a heading begins a paragraph
}

/** `.TH`: name, section, date, and the program's version at the foot. */
export function titleLine(name: string, section: string, date: string, version: string): string {
  return `.TH ${name.toUpperCase()} ${section} ${date} "xbbd ${version}" "System administration"\n`
}

/** Lines that belong together: between blank lines, or an entry of a list; an example may hold blank lines itself. */
function blocksOf(markup: string): string[] {
  const blocks: string[] = []
  for (const part of markup.split(/\n{2,}|\n(?=- )|(?<=^##.*)\n/m)) {
    const block = part.replace(/^\n+|\s+$/g, '')
    const last = blocks.length - 1
    if (isExample(block) && last >= 0 && isExample(blocks[last])) blocks[last] += `\n\n${block}`
    else if (block !== '') blocks.push(block)
  }
  return blocks
}

const isExample = (block: string): boolean => block.startsWith('    ')

function blockText(block: string): string {
  const heading = /^(##|###) (.*)$/.exec(block)
  if (heading) return `.${heading[1] === '##' ? 'SH' : 'SS'} ${inline(heading[2])}\n`
  const entry = /^- (.*?) ::\s+(.*)$/s.exec(block)
  if (entry) return `.TP\n${inline(entry[1])}\n${inline(joined(entry[2]))}\n`
  if (isExample(block)) {
    const lines = block.split('\n').map((line) => shielded(escaped(line.slice(4))))
    return `.IP\n.EX\n${lines.join('\n')}\n.EE\n`
  }
  return `.PP\n${inline(joined(block))}\n`
}

/** The lines of one paragraph, without the blanks that indent an entry's. */
function joined(text: string): string {
  return text.replace(/\s*\n\s*/g, '\n')
}

/** Bold for what is typed, italic for what stands for something; hyphens in what is typed stay hyphens. */
function inline(text: string): string {
  const parts = text.split(/(`[^`]+`|(?<![\w-])_[^_]+_(?!\w))/)
  const written = parts.map((part) => {
    if (/^`.+`$/.test(part)) return `\\fB${escaped(part.slice(1, -1)).replaceAll('-', '\\-')}\\fR`
    if (/^_.+_$/.test(part)) return `\\fI${escaped(part.slice(1, -1))}\\fR`
    return escaped(part).replace(/(?<![\w-])--?(?=[a-z])/g, (hyphens) => hyphens.replaceAll('-', '\\-'))
  })
  return written.join('').split('\n').map(shielded).join('\n')
}

const escaped = (text: string): string => text.replaceAll('\\', '\\e')

const shielded = (line: string): string => (/^[.']/.test(line) ? `\\&${line}` : line)
