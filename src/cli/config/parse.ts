/**
 * @packageDocumentation
 * The syntax of a configuration file: one `key = value` per line, as in xl's own files.
 *
 *   # a comment, also behind a value (a # needs a blank before it there)
 *   journal.size = 64M
 *   run.dir = "/srv/with # and \"quotes\""      in quotes only \" and \\ mean something
 *
 * Parsing knows nothing of keys: it gives entries and problems with their line numbers, and goes on after a problem, so
 * that one look at the output mends a file. What it is given is bounded by the reader (load.ts).
 */

/** A line that could be read. */
export interface FileEntry {
  readonly key: string
  readonly text: string
  /** From 1. */
  readonly line: number
}

/** A line that could not. */
export interface SyntaxProblem {
  readonly line: number
  readonly sentence: string
}

export interface ParsedFile {
  readonly entries: readonly FileEntry[]
  readonly problems: readonly SyntaxProblem[]
}

/** Reads a whole file's text. */
export function parseConfig(content: string): ParsedFile {
  const entries: FileEntry[] = []
  const problems: SyntaxProblem[] = []
  content.split(/\r?\n/).forEach((raw, index) => {
    const line = index + 1
    const text = raw.trim()
    if (text === '' || text.startsWith('#')) return
    const result = parseLine(text)
    if (typeof result === 'string') problems.push({ line, sentence: result })
    else entries.push({ ...result, line })
  })
  return { entries, problems }
}

/** The key and value of one line, or what is wrong with it. */
function parseLine(text: string): { key: string; text: string } | string {
  const equals = text.indexOf('=')
  if (equals < 0) return 'this is no setting: write key = value'
  const key = text.slice(0, equals).trim()
  if (key === '') return 'the key before = is missing'
  if (/\s/.test(key)) return `${JSON.stringify(key)} is no key: a key has no blanks`
  const value = parseText(text.slice(equals + 1).trim())
  return typeof value === 'string' ? `${key}: ${value}` : { key, text: value.text }
}

function parseText(rest: string): { text: string } | string {
  if (rest.startsWith('"')) return parseQuoted(rest)
  const comment = /(^|\s)#/.exec(rest)
  const text = (comment ? rest.slice(0, comment.index) : rest).trim()
  return text === '' ? 'the value is missing (write "" for an empty one)' : { text }
}

function parseQuoted(rest: string): { text: string } | string {
  const match = /^"((?:[^"\\]|\\["\\])*)"\s*(.*)$/.exec(rest)
  if (!match) return 'the quoted value does not end (inside quotes only \\" and \\\\ may follow a backslash)'
  if (match[2] !== '' && !match[2].startsWith('#')) return `${JSON.stringify(match[2])} behind the closing quote`
  return { text: match[1].replace(/\\(["\\])/g, '$1') }
}
