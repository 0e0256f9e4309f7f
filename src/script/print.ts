/**
 * @packageDocumentation
 * Statements to text, one way to write each: what the simulator's shrinker saves, what the runner shows of the line at
 * which a script failed. `parseScript` makes the same statements of it again (a property test holds it to that).
 */
import { BLKIF_OP_INDIRECT } from '../protocol/blkif.js'
import type { Content, Expectation, PageOrGref, ScriptRequest, ScriptSegment, Statement, U64 } from './ast.js'
import { ERRNOS, OPERATIONS, STATUSES } from './words.js'

/** The whole script, a newline at its end. */
export function printScript(statements: readonly Statement[]): string {
  return linesOf(statements, '').map((line) => `${line}\n`).join('')
}

function linesOf(statements: readonly Statement[], indent: string): string[] {
  return statements.flatMap((statement) => {
    const first = `${indent}${printStatement(statement)}`.trimEnd()
    if (statement.do !== 'repeat') return [first]
    return [first, ...linesOf(statement.body, `${indent}  `), `${indent}end`]
  })
}

/** One statement on one line; of a repeat its first line. */
export function printStatement(statement: Statement): string {
  switch (statement.do) {
    case 'comment':
      return `# ${statement.text}`
    case 'abi':
      return `abi ${statement.abi}`
    case 'disk':
      return `disk ${diskText(statement)}`
    case 'setting':
      return `setting ${word(statement.key)} ${word(statement.value)}`
    case 'connect':
    case 'rings':
    case 'keys':
      return `${statement.do}${optionsText(statement)}`
    case 'key':
      return `key ${word(statement.key)} ${statement.value === undefined ? 'gone' : word(statement.value)}`
    case 'state':
      return `state ${statement.state}`
    case 'page':
      return `page ${statement.name}${GRANTS[statement.grant]}`
    case 'fill':
      return `fill ${statement.name} ${hex(statement.byte)}`
    case 'grant':
      return `grant ${statement.name}${statement.readOnly ? ' read-only' : ''}`
    case 'revoke':
      return `revoke ${statement.name}`
    case 'put':
    case 'stage':
      return `${statement.do} ${requestText(statement.request)}`
    case 'publish':
      return `publish${statement.quietly ? ' quietly' : ''}${queueText(statement)}`
    case 'notify':
      return `notify${queueText(statement)}`
    case 'index': {
      const sign = statement.relative && statement.value >= 0 ? '+' : ''
      return `index ${statement.index} ${sign}${statement.value}${queueText(statement)}`
    }
    case 'poke':
      return `poke ${statement.name} word ${statement.word} ${hex(statement.value)}`
    case 'expect':
      return `expect ${expectationText(statement.expected)}`
    case 'wait':
      return `wait ${time(statement.ms)}`
    case 'repeat':
      return `repeat ${statement.times}`
    default:
      return statement.do
  }
}

const GRANTS = { 'read-write': '', 'read-only': ' read-only', none: ' ungranted' }

/** A word that is read again as it is, whatever stands in it. */
function word(text: string): string {
  return /^[^\s"#]+$/.test(text) && text !== 'gone' ? text : JSON.stringify(text)
}

const hex = (value: number) => `0x${value.toString(16)}`

/** Decimal while a double is exact. */
function u64([low, high]: U64): string {
  if (high < 1 << 20) return String(high * 4294967296 + low)
  return `${hex(high)}${low.toString(16).padStart(8, '0')}`
}

function time(ms: number): string {
  return Number.isInteger(ms) ? (ms % 1000 === 0 && ms > 0 ? `${ms / 1000}s` : `${ms}ms`) : `${Math.round(ms * 1000)}us`
}

function sizeText(bytes: number): string {
  for (const [unit, factor] of [['G', 1024 ** 3], ['M', 1024 ** 2], ['K', 1024]] as const)
    if (bytes % factor === 0) return `${bytes / factor}${unit}`
  return String(bytes)
}

function diskText(change: Extract<Statement, { do: 'disk' }>): string {
  if (change.disk === 'size') return `size ${sizeText(change.bytes)}`
  if (change.disk === 'slow') return `slow ${time(change.ms)}`
  if (change.disk === 'sector-size') return `sector-size ${change.format}`
  if (change.disk === 'without') return `without ${change.features.join(' ')}`
  if (change.disk !== 'fails') return change.disk
  const name = Object.keys(ERRNOS).find((known) => ERRNOS[known] === change.errno) ?? String(change.errno)
  return `fails ${name}${change.sectors ? ` sectors ${change.sectors.join('-')}` : ''}`
}

function optionsText(options: { pages?: number; queues?: number; persistent?: boolean }): string {
  const { pages, queues, persistent } = options
  return [
    pages === undefined ? '' : ` pages ${pages}`,
    queues === undefined ? '' : ` queues ${queues}`,
    persistent === true ? ' persistent' : '',
  ].join('')
}

const queueText = ({ queue }: { queue?: number }) => (queue === undefined ? '' : ` queue ${queue}`)

function operationText({ op, inner, raw }: ScriptRequest): string {
  if (raw) return `raw ${raw.map(hex).join(' ')}`
  const named = (number: number) =>
    Object.keys(OPERATIONS).find((name) => OPERATIONS[name] === number) ?? `op ${number}`
  return op === BLKIF_OP_INDIRECT && inner !== undefined ? `indirect ${named(inner)}` : named(op)
}

function requestText(request: ScriptRequest): string {
  const { sector, sectors, segments, fill, flag, descriptors, nrSegments, id, handle, queue, name } = request
  const clause = <Value>(word: string, value: Value | undefined, text: (value: Value) => string | number) =>
    value === undefined ? [] : [`${word} ${text(value)}`]
  return [
    operationText(request),
    ...clause('at', sector, u64),
    ...clause('sectors', sectors, u64),
    ...clause('segments', segments, (list) => list.map(segmentText).join(' ')),
    ...clause('fill', fill, hex),
    ...clause('flag', flag, String),
    ...clause('descriptors', descriptors, (list) => list.map(pageText).join(' ')),
    ...clause('nr-segments', nrSegments, String),
    ...clause('id', id, u64),
    ...clause('handle', handle, String),
    ...clause('queue', queue, String),
    ...clause('as', name, String),
  ].join(' ')
}

const pageText = (page: PageOrGref) => ('page' in page ? page.page : `@${page.gref}`)

function segmentText(segment: ScriptSegment): string {
  const whole = segment.first === 0 && segment.last === 7
  return whole ? pageText(segment) : `${pageText(segment)}:${segment.first}-${segment.last}`
}

export function statusText(status: number): string {
  return Object.keys(STATUSES).find((name) => STATUSES[name] === status) ?? String(status)
}

function contentText(content: Content): string {
  if (content.is === 'byte') return `is ${hex(content.byte)}`
  return content.is === 'crc32' ? `crc32 ${hex(content.crc)}` : `same-as ${content.name}`
}

const forText = ({ forMs }: { forMs?: number }) => (forMs === undefined ? '' : ` for ${time(forMs)}`)

function expectationText(expected: Expectation): string {
  const within = 'withinMs' in expected && expected.withinMs !== undefined ? ` within ${time(expected.withinMs)}` : ''
  switch (expected.what) {
    case 'answers':
      return `${expected.names.join(' ')} ${statusText(expected.status)}${within}`
    case 'unanswered':
      return `${expected.names.join(' ')} unanswered${forText(expected)}`
    case 'state':
      return `state ${expected.state}${within}`
    case 'key':
      return `key ${word(expected.key)} ${expected.value === undefined ? 'gone' : word(expected.value)}${within}`
    case 'data':
      return `data ${expected.name} ${contentText(expected.content)}`
    case 'mapped':
    case 'unmapped':
      return `${expected.what} ${expected.name}${within}`
    case 'index':
      return `index ${expected.index} ${expected.value}${queueText(expected)}${within}`
  }
}
