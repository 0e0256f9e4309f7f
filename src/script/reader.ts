/**
 * @packageDocumentation
 * Walks through the words of one line and reads numbers, times, sizes and names, each with its own complaint and cure.
 * Every reader either takes what it says or throws with a caret below the word; none gives back half a value.
 */
import { XENBUS_STATES } from '../protocol/xenbus-state.js'
import type { XenbusState } from '../protocol/xenbus-state.js'
import type { U64 } from './ast.js'
import { choices, scriptError, tokensOf } from './tokens.js'
import type { Place, Token } from './tokens.js'
import { NAME, RESERVED, SIZE_UNITS, TIME_UNITS } from './words.js'

const U64_END = 1n << 64n

export class LineReader {
  readonly place: Place
  private readonly tokens: readonly Token[]
  private at = 0

  constructor(place: Place) {
    this.place = place
    this.tokens = tokensOf(place)
  }

  get atEnd(): boolean {
    return this.at >= this.tokens.length
  }

  /** The next word, if it is one of the language's. */
  get word(): string | undefined {
    const token = this.tokens.at(this.at)
    return this.atEnd || token!.quoted ? undefined : token!.text
  }

  /** Throws with a caret below the word that was read last, or the next one. */
  fail(sentence: string, which: 'last' | 'next' = 'last'): never {
    const index = which === 'last' ? this.at - 1 : this.at
    const token = this.tokens.at(Math.max(0, index))
    const end = { column: this.place.text.trimEnd().length, width: 1 }
    throw scriptError(this.place, index >= this.tokens.length || token === undefined ? end : token, sentence)
  }

  next(expected: string): Token {
    if (this.atEnd) this.fail(`the line ends where ${expected} was expected`, 'next')
    return this.tokens[this.at++]
  }

  /** Takes the next word if it is this one. */
  took(word: string): boolean {
    if (this.word !== word) return false
    this.at++
    return true
  }

  expect(word: string): void {
    if (!this.took(word)) this.fail(`${word} was expected here`, 'next')
  }

  end(): void {
    if (!this.atEnd) this.fail('the statement is over here: begin a new line, or take this away', 'next')
  }

  oneOf<Word extends string>(what: string, known: readonly Word[]): Word {
    const { text } = this.next(what)
    const found = known.find((word) => word === text)
    return found ?? this.fail(`there is no ${what} ${text}: ${choices(text, known)}`)
  }

  /** A whole number, decimal or 0x…, from 0 to `max`. */
  number(what: string, max: number): number {
    const { text } = this.next(what)
    const value = /^(\d{1,15}|0x[0-9a-fA-F]{1,12})$/.test(text) ? Number(text) : Number.NaN
    return value <= max ? value : this.fail(`${what} is a whole number from 0 to ${max}, such as 8 or 0x5a`)
  }

  u64(what: string): U64 {
    const { text } = this.next(what)
    const value = /^(\d{1,20}|0x[0-9a-fA-F]{1,16})$/.test(text) ? BigInt(text) : U64_END
    if (value >= U64_END) this.fail(`${what} is a whole number of at most 64 bits: 2048, 0xffffffffffffffff`)
    return [Number(value & 0xffffffffn), Number(value >> 32n)]
  }

  /** Milliseconds of `200ms`, `2s`, `50us`. */
  duration(): number {
    const { text } = this.next('a time')
    const match = /^(\d{1,9})(us|ms|s|m)$/.exec(text)
    if (!match) return this.fail('a time has a unit: 50us, 200ms, 2s, 1m')
    return (Number(match[1]) * TIME_UNITS[match[2]]) / 1000
  }

  /** Bytes of `64K`, `4M`. */
  size(): number {
    const { text } = this.next('a size')
    const match = /^(\d{1,9})([KMGT]?)$/.exec(text)
    const bytes = match ? Number(match[1]) * SIZE_UNITS[match[2]] : 0
    return bytes >= 512 && bytes % 512 === 0 ? bytes : this.fail('a size is whole sectors of 512 bytes: 64K, 4M, 1G')
  }

  /** `0-7`. */
  range(what: string, max: number): readonly [number, number] {
    const { text } = this.next(what)
    const match = /^(\d{1,15})-(\d{1,15})$/.exec(text)
    const both = match && ([Number(match[1]), Number(match[2])] as const)
    if (both && both[0] <= max && both[1] <= max) return both
    return this.fail(`${what} are written as 0-7, both at most ${max}`)
  }

  /** A page or request that is named here. */
  newName(what: string): string {
    const { text, quoted } = this.next(`a name for the ${what}`)
    if (quoted || !NAME.test(text)) this.fail('a name begins with a letter and has letters, digits, _ . - behind it')
    return RESERVED.has(text) ? this.fail(`${text} is a word of the language: choose another name`) : text
  }

  /** A name that stands in `known`. */
  knownName(what: string, known: ReadonlySet<string>): string {
    const { text } = this.next(`the name of a ${what}`)
    if (known.has(text)) return text
    const cure = known.size === 0 ? `nothing has a name yet` : choices(text, [...known].slice(-12))
    return this.fail(`no ${what} before this line is called ${text}: ${cure}`)
  }

  state(): XenbusState {
    return this.oneOf('state', XENBUS_STATES)
  }
}
