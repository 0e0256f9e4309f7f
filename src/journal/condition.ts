/**
 * @packageDocumentation
 * The language of `xbbd replay --until`: a few words that say for which moment of a recording one looks.
 *
 *   condition  test { and test } { or test { and test } }         `and` binds closer than `or`; 16 tests at most
 *   test       [not] ACTOR in STATE [> DURATION]                   device in Closing · request in Submitted > 10ms
 *              [not] ACTOR on EVENT                                request on failed · device on frontend.Closing
 *              [not] request > DURATION                            some request is older than that
 *              [not] COUNTER > NUMBER   (also >= < <= =)           inFlight >= 32 · answeredError > 0
 *              [not] short of slots|buffers|…                      why a queue is in Shortage
 *
 * ACTOR is request, queue or a chart of the control plane; STATE a state of its chart or a part of its path; a duration
 * has a unit from ns to h. Names are checked against the charts when the condition is read, so that a slip of the pen
 * is an error and not a search that finds nothing. The language has no loops and no nesting: reading and asking are
 * bounded by its length.
 */
import { COUNTER, COUNTERS } from '../core/statistics.js'
import { SHORTAGE_NAMES } from '../core/records.js'
import { charts } from '../machines/index.js'
import { eventNames, stateNames } from '../machines/notes.js'
import { XbbdError } from '../protocol/errors.js'
import type { Scene } from './scene.js'
import { parseNanoseconds } from './times.js'

/** Holds for a scene, with a sentence that says who fulfils it; otherwise undefined. */
export type Test = (scene: Scene) => string | undefined

export interface Condition {
  readonly text: string
  readonly holds: Test
}

export const CONDITION_CHARACTERS_MAX = 512
export const CONDITION_TESTS_MAX = 16

const TOKEN = /\s*(>=|<=|[<>=]|[^\s<>=]+)/y

/** Reads a condition. @throws XbbdError XBBD_CONDITION (64) with what was expected. */
export function parseCondition(text: string): Condition {
  if (text.length > CONDITION_CHARACTERS_MAX) throw fault(`it has more than ${CONDITION_CHARACTERS_MAX} characters`)
  const words = new Words(tokensOf(text))
  const either: Test[][] = [[readTest(words)]]
  for (let tests = 1; !words.atEnd; tests++) {
    if (tests >= CONDITION_TESTS_MAX) throw fault(`a condition has at most ${CONDITION_TESTS_MAX} tests`)
    const word = words.next('and or or')
    if (word !== 'and' && word !== 'or') throw fault(`${quoted(word)} stands where and or or was expected`)
    const test = readTest(words)
    if (word === 'and') either[either.length - 1].push(test)
    else either.push([test])
  }
  return { text, holds: anyOf(either.map(allOf)) }
}

const allOf = (tests: readonly Test[]): Test => (scene) => {
  const found: string[] = []
  for (const test of tests) {
    const sentence = test(scene)
    if (sentence === undefined) return undefined
    found.push(sentence)
  }
  return found.join('; ')
}

const anyOf = (tests: readonly Test[]): Test => (scene) => {
  for (const test of tests) {
    const sentence = test(scene)
    if (sentence !== undefined) return sentence
  }
  return undefined
}

function tokensOf(text: string): string[] {
  const tokens: string[] = []
  TOKEN.lastIndex = 0
  for (let match = TOKEN.exec(text); match !== null; match = TOKEN.exec(text)) tokens.push(match[1])
  return tokens
}

class Words {
  private at = 0
  private readonly tokens: readonly string[]

  constructor(tokens: readonly string[]) {
    this.tokens = tokens
  }

  get atEnd(): boolean {
    return this.at >= this.tokens.length
  }

  next(expected: string): string {
    if (this.atEnd) throw fault(`it ends where ${expected} was expected`)
    return this.tokens[this.at++]
  }

  /** Takes the next word if it is this one. */
  took(word: string): boolean {
    if (this.tokens[this.at] !== word) return false
    this.at++
    return true
  }

  expect(word: string): void {
    const found = this.next(word)
    if (found !== word) throw fault(`${quoted(found)} stands where ${word} was expected`)
  }
}

function readTest(words: Words): Test {
  if (!words.took('not')) return readPlainTest(words)
  const test = readPlainTest(words)
  return (scene) => (test(scene) === undefined ? 'the opposite does not hold' : undefined)
}

function readPlainTest(words: Words): Test {
  const subject = words.next('an actor, a counter or short')
  if (subject === 'short') return readShortage(words)
  if ((COUNTERS as readonly string[]).includes(subject)) return readCounter(subject, words)
  if (!charts.some(({ name }) => name === subject)) {
    const actors = charts.map(({ name }) => name).join(', ')
    throw fault(`${quoted(subject)} is no actor (${actors}), no counter (${COUNTERS.join(', ')}) and not short`)
  }
  const verb = words.next('in or on')
  if (verb === 'in') return readState(subject, words)
  if (verb === 'on') return readEvent(subject, words)
  if (verb === '>' && subject === 'request') {
    const ns = readDuration(words)
    return (scene) => scene.requestOlderThan(ns)
  }
  throw fault(`${quoted(verb)} stands where in or on was expected`)
}

function readState(chart: string, words: Words): Test {
  const state = words.next('a state')
  const names = stateNames(chart)
  const known = names.has(state) || [...names].some((name) => `.${name}.`.includes(`.${state}.`))
  if (!known) throw fault(`the chart ${chart} has no state ${quoted(state)}; it has ${[...names].join(', ')}`)
  const longerNs = words.took('>') ? readDuration(words) : -1
  return (scene) => scene.inState(chart, state, longerNs)
}

function readEvent(chart: string, words: Words): Test {
  const event = words.next('an event')
  const names = eventNames(chart)
  if (!names.has(event))
    throw fault(`the chart ${chart} knows no event ${quoted(event)}; it knows ${[...names].join(', ')}`)
  return (scene) => (scene.happened.has(`${chart}.${event}`) ? `${chart} was told ${event}` : undefined)
}

function readShortage(words: Words): Test {
  words.expect('of')
  const name = words.next('what is short')
  const reason = SHORTAGE_NAMES.findIndex((known) => known === name)
  if (reason < 1)
    throw fault(`a queue is never short of ${quoted(name)}, only of ${SHORTAGE_NAMES.slice(1).join(', ')}`)
  return (scene) => scene.shortOf(reason)
}

const COMPARISONS: { readonly [sign: string]: (a: number, b: number) => boolean } = {
  '>': (a, b) => a > b,
  '>=': (a, b) => a >= b,
  '<': (a, b) => a < b,
  '<=': (a, b) => a <= b,
  '=': (a, b) => a === b,
}

function readCounter(name: string, words: Words): Test {
  const sign = words.next('> >= < <= or =')
  if (!(sign in COMPARISONS)) throw fault(`${quoted(sign)} stands where > >= < <= or = was expected`)
  const text = words.next('a number')
  if (!/^\d{1,15}$/.test(text)) throw fault(`${quoted(text)} stands where a number was expected`)
  const index = COUNTER[name as keyof typeof COUNTER]
  return (scene) => {
    const value = scene.counter(index)
    return COMPARISONS[sign](value, Number(text)) ? `${name} is ${value}` : undefined
  }
}

function readDuration(words: Words): number {
  const text = words.next('a duration')
  const ns = parseNanoseconds(text)
  if (ns === undefined) throw fault(`${quoted(text)} is no duration: one has a unit, as 10ms, 250us, 2s`)
  return ns
}

const quoted = (word: string) => JSON.stringify(word)

function fault(what: string): XbbdError {
  const sentence = `the condition cannot be read: ${what}; examples: 'device in Closing', 'request in Submitted > 10ms'`
  return new XbbdError('XBBD_CONDITION', sentence, { exitCode: 64 })
}
