/**
 * @packageDocumentation
 * One line of a script as words with their places, and the error that points at one of them:
 *
 *   hello.xbf:3:5: there is no operation red; use one of read, write, …, did you mean read?
 *     put red at 0
 *         ^^^
 *
 * Words are divided by blanks; one in double quotes is as JSON writes a text, and is never taken for a word of the
 * language. `#` at the beginning of a word makes the rest of the line a comment.
 */
import { XbbdError } from '../protocol/errors.js'
import { nearest } from '../protocol/nearest.js'

export interface Token {
  readonly text: string
  /** From 0. */
  readonly column: number
  readonly width: number
  readonly quoted: boolean
}

/** Where a line stands. */
export interface Place {
  readonly file: string
  /** From 1. */
  readonly line: number
  readonly text: string
}

const WORD = /\s*(?:(#.*)|"((?:[^"\\]|\\.)*)"|([^\s"]+))/y

/** @throws XbbdError XBBD_SCRIPT where a quoted word does not end. */
export function tokensOf(place: Place): Token[] {
  const tokens: Token[] = []
  const { text } = place
  WORD.lastIndex = 0
  while (WORD.lastIndex < text.trimEnd().length) {
    const from = WORD.lastIndex
    const match = WORD.exec(text)
    const column = from + /^\s*/.exec(text.slice(from))![0].length
    if (match === null) throw scriptError(place, { column, width: 1 }, 'a quoted word does not end: add a "')
    if (match[1] !== undefined) break
    const width = WORD.lastIndex - column
    const quoted = match[2] !== undefined
    tokens.push({ text: quoted ? unquoted(match[2], place, column, width) : match[3], column, width, quoted })
  }
  return tokens
}

function unquoted(inside: string, place: Place, column: number, width: number): string {
  try {
    return JSON.parse(`"${inside}"`) as string
  } catch {
    throw scriptError(place, { column, width }, 'a quoted word is written as JSON writes a text')
  }
}

/** One sentence, the line, and a caret below what is meant. */
export function scriptError(
  { file, line, text }: Place, at: Pick<Token, 'column' | 'width'>, sentence: string,
): XbbdError {
  const shown = text.replaceAll('\t', ' ')
  const caret = `${' '.repeat(at.column)}${'^'.repeat(Math.max(1, at.width))}`
  const message = `${file}:${line}:${at.column + 1}: ${sentence}\n  ${shown}\n  ${caret}`
  return new XbbdError('XBBD_SCRIPT', message, { exitCode: 65 })
}

/** `; use one of a, b, c`, and what may have been meant. */
export function choices(word: string, known: Iterable<string>): string {
  const all = [...known]
  const near = nearest(word, all)
  return `use one of ${all.join(', ')}${near === undefined ? '' : `; did you mean ${near}?`}`
}
