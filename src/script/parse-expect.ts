/**
 * @packageDocumentation
 * What stands behind `expect`: answers of requests by name, and everything else that a front end can see.
 *
 *   expect w r okay within 2s            expect state Connected          expect data r is 0x5a
 *   expect w unanswered for 100ms        expect key sectors 8192         expect unmapped a
 */
import type { Content, Expectation } from './ast.js'
import { INDEX_NAMES } from './ast.js'
import type { Names } from './parse-request.js'
import type { LineReader } from './reader.js'
import { choices } from './tokens.js'
import { EXPECTATIONS, RING, STATUSES } from './words.js'

const U32_MAX = 0xffffffff

export function parseExpectation(line: LineReader, names: Names): Expectation {
  const kind = EXPECTATIONS.find((word) => word === line.word)
  if (kind === undefined) return answers(line, names)
  line.next(kind)
  switch (kind) {
    case 'state':
      return { what: 'state', state: line.state(), ...within(line) }
    case 'key':
      return key(line)
    case 'data':
      return data(line, names)
    case 'mapped':
    case 'unmapped':
      return { what: kind, name: line.knownName('page', new Set([...names.pages, RING])), ...within(line) }
    case 'index': {
      const index = line.oneOf('index', INDEX_NAMES)
      const value = line.number('an index', U32_MAX)
      const queue = line.took('queue') ? { queue: line.number('a queue', 15) } : {}
      return { what: 'index', index, value, ...queue, ...within(line) }
    }
  }
}

function answers(line: LineReader, names: Names): Expectation {
  const found: string[] = []
  for (;;) {
    const { word } = line
    if (word === 'unanswered' || (word !== undefined && isStatus(word))) break
    if (found.length > 0 && word !== undefined && !names.requests.has(word)) {
      const known = [...Object.keys(STATUSES), 'unanswered']
      line.fail(`${word} is neither a request before this line nor a status: ${choices(word, known)}`, 'next')
    }
    found.push(line.knownName('request', names.requests))
  }
  if (found.length === 0) line.fail('say which requests: expect NAME okay', 'next')
  const word = line.next('a status').text
  if (word !== 'unanswered') return { what: 'answers', names: found, status: statusOf(word), ...within(line) }
  return { what: 'unanswered', names: found, ...(line.took('for') && { forMs: line.duration() }) }
}

const isStatus = (word: string) => Object.hasOwn(STATUSES, word) || /^-\d{1,5}$/.test(word)

const statusOf = (word: string) => (Object.hasOwn(STATUSES, word) ? STATUSES[word] : Number(word))

function within(line: LineReader): { withinMs?: number } {
  return line.took('within') ? { withinMs: line.duration() } : {}
}

function key(line: LineReader): Expectation {
  const name = line.next('the name of a node').text
  if (line.took('gone')) return { what: 'key', key: name, ...within(line) }
  return { what: 'key', key: name, value: line.next('its value, or gone').text, ...within(line) }
}

function data(line: LineReader, names: Names): Expectation {
  const name = line.knownName('page or request', new Set([...names.pages, ...names.requests]))
  return { what: 'data', name, content: content(line, names) }
}

function content(line: LineReader, names: Names): Content {
  const how = line.oneOf('comparison', ['is', 'crc32', 'same-as'])
  if (how === 'is') return { is: 'byte', byte: line.number('a byte', 255) }
  if (how === 'crc32') return { is: 'crc32', crc: line.number('a checksum', U32_MAX) }
  return { is: 'same', name: line.knownName('page or request', new Set([...names.pages, ...names.requests])) }
}
