/**
 * @packageDocumentation
 * A script's text, line by line, to statements. It is read whole before anything runs, and every slip of the pen is
 * told with its line, its column, a caret and the cure: also a name that nothing has, and a `repeat` that does not end.
 */
import { VETOABLE } from '../protocol/keys.js'
import { SECTOR_FORMATS } from '../protocol/sector-format.js'
import { INDEX_NAMES, REPEAT_DEPTH_MAX, REPEAT_TIMES_MAX, SCRIPT_LINES_MAX } from './ast.js'
import type { DiskChange, Statement } from './ast.js'
import { parseExpectation } from './parse-expect.js'
import { parseRequest } from './parse-request.js'
import type { Names } from './parse-request.js'
import { LineReader } from './reader.js'
import { scriptError } from './tokens.js'
import { DISK_WORDS, ERRNOS, STATEMENTS } from './words.js'

const U32_MAX = 0xffffffff

interface Open {
  readonly times: number
  readonly line: LineReader
  readonly body: Statement[]
}

/** Reads a script; `file` is what errors call it. @throws XbbdError XBBD_SCRIPT (65). */
export function parseScript(text: string, file = 'script'): Statement[] {
  const whole: Statement[] = []
  const open: Open[] = []
  const names: Names = { pages: new Set(), requests: new Set() }
  const lines = text.split(/\r?\n/)
  if (lines.length > SCRIPT_LINES_MAX) {
    const place = { file, line: SCRIPT_LINES_MAX, text: lines[SCRIPT_LINES_MAX] }
    throw scriptError(place, { column: 0, width: 1 }, `a script has at most ${SCRIPT_LINES_MAX} lines`)
  }
  lines.forEach((content, index) => {
    const body = open.at(-1)?.body ?? whole
    const comment = /^\s*#\s?(.*)$/.exec(content)
    const line = { line: index + 1 }
    if (comment) return void body.push({ do: 'comment', text: comment[1].trimEnd(), ...line })
    const reader = new LineReader({ file, line: index + 1, text: content })
    if (reader.atEnd) return
    const statement = readStatement(reader, open, names)
    reader.end()
    if (statement) (open.at(-1)?.body ?? whole).push({ ...statement, line: statement.line ?? index + 1 })
  })
  open.at(-1)?.line.fail('this repeat does not end: write end on a line of its own behind it')
  return whole
}

/** Undefined when the line only begins a repeat. */
function readStatement(line: LineReader, open: Open[], names: Names): Statement | undefined {
  const word = line.oneOf('statement', STATEMENTS)
  if (word === 'repeat') {
    if (open.length >= REPEAT_DEPTH_MAX) line.fail(`at most ${REPEAT_DEPTH_MAX} repeats stand in each other`)
    const times = line.number('how often', REPEAT_TIMES_MAX)
    open.push({ times, line, body: [] })
    return undefined
  }
  if (word !== 'end') return plainStatement(word, line, names)
  const repeat = open.pop()
  if (repeat === undefined) return line.fail('there is no repeat for this end: take it away')
  return { do: 'repeat', times: repeat.times, body: repeat.body, line: repeat.line.place.line }
}

type Plain = Exclude<(typeof STATEMENTS)[number], 'repeat' | 'end'>

function plainStatement(word: Plain, line: LineReader, names: Names): Statement {
  switch (word) {
    case 'abi':
      return { do: 'abi', abi: line.oneOf('ABI', ['x86_64', 'x86_32']) }
    case 'disk':
      return { do: 'disk', ...diskChange(line) }
    case 'setting':
      return { do: 'setting', key: line.next('a setting').text, value: line.next('its value').text }
    case 'put':
    case 'stage':
      return { do: word, request: parseRequest(line, names) }
    case 'expect':
      return { do: 'expect', expected: parseExpectation(line, names) }
    case 'wait':
      return { do: 'wait', ms: line.duration() }
    case 'connect':
    case 'rings':
    case 'keys':
    case 'key':
    case 'state':
      return handshakeStatement(word, line)
    case 'page':
    case 'fill':
    case 'grant':
    case 'revoke':
      return pageStatement(word, line, names)
    case 'publish':
    case 'notify':
    case 'index':
    case 'poke':
      return ringStatement(word, line, names)
    case 'kill':
    case 'stop':
    case 'start':
    case 'close':
    case 'vanish':
      return { do: word }
  }
}

function diskChange(line: LineReader): DiskChange {
  const disk = line.oneOf('disk', DISK_WORDS)
  if (disk === 'size') return { disk, bytes: line.size() }
  if (disk === 'slow') return { disk, ms: line.duration() }
  if (disk === 'sector-size') return { disk, format: line.oneOf('sector size', SECTOR_FORMATS) }
  if (disk === 'without') {
    const features = [line.oneOf('feature', VETOABLE)]
    while (!line.atEnd) features.push(line.oneOf('feature', VETOABLE))
    return { disk, features }
  }
  if (disk !== 'fails') return { disk }
  const named = line.word !== undefined && Object.hasOwn(ERRNOS, line.word) ? ERRNOS[line.word] : undefined
  const given = line.word !== undefined && line.word !== 'sectors'
  if (named !== undefined) line.next('an errno')
  const errno = named ?? (given ? line.number(`an errno (${Object.keys(ERRNOS).join(', ')})`, 4095) : ERRNOS.EIO)
  const sectors = line.took('sectors') ? { sectors: line.range('sectors', 2 ** 44) } : {}
  return { disk, errno, ...sectors }
}

function handshakeStatement(word: 'connect' | 'rings' | 'keys' | 'key' | 'state', line: LineReader): Statement {
  if (word === 'state') return { do: 'state', state: line.state() }
  if (word === 'key') {
    const key = line.next('the name of a node').text
    return line.took('gone') ? { do: 'key', key } : { do: 'key', key, value: line.next('its value, or gone').text }
  }
  const given: { pages?: number; queues?: number; persistent?: boolean } = {}
  const known = { connect: ['pages', 'queues', 'persistent'], rings: ['pages', 'queues'], keys: ['persistent'] }[word]
  while (!line.atEnd) {
    const option = line.oneOf('option', known)
    if (option === 'pages') given.pages = powerOfTwo(line)
    else if (option === 'queues') given.queues = Math.max(1, line.number('a number of queues', 16))
    else given.persistent = true
  }
  return { do: word, ...given }
}

function powerOfTwo(line: LineReader): number {
  const pages = line.number('a number of pages', 16)
  return pages > 0 && (pages & (pages - 1)) === 0 ? pages : line.fail('a ring has 1, 2, 4, 8 or 16 pages')
}

function pageStatement(word: 'page' | 'fill' | 'grant' | 'revoke', line: LineReader, names: Names): Statement {
  if (word === 'page') {
    const name = line.newName('page')
    names.pages.add(name)
    const grant = line.took('read-only') ? 'read-only' : line.took('ungranted') ? 'none' : 'read-write'
    return { do: 'page', name, grant }
  }
  const name = line.knownName('page', names.pages)
  if (word === 'fill') return { do: 'fill', name, byte: line.number('a byte', 255) }
  return word === 'revoke' ? { do: 'revoke', name } : { do: 'grant', name, readOnly: line.took('read-only') }
}

function ringStatement(word: 'publish' | 'notify' | 'index' | 'poke', line: LineReader, names: Names): Statement {
  if (word === 'poke') {
    const name = line.knownName('request', names.requests)
    line.expect('word')
    return { do: 'poke', name, word: line.number('a word', 27), value: line.number('a value', U32_MAX) }
  }
  if (word === 'publish') return { do: 'publish', quietly: line.took('quietly'), ...queue(line) }
  if (word === 'notify') return { do: 'notify', ...queue(line) }
  const index = line.oneOf('index', INDEX_NAMES)
  const { text } = line.next('a value, or how far it moves: 7, +100, -1')
  const match = /^([+-]?)(\d{1,10})$/.exec(text)
  if (!match || Number(match[2]) > U32_MAX)
    return line.fail('an index is a number of 32 bits, or how far it moves: 7, +100, -1')
  const [, sign, digits] = match
  const value = sign === '-' ? -Number(digits) : Number(digits)
  return { do: 'index', index, value, relative: sign !== '', ...queue(line) }
}

function queue(line: LineReader): { queue?: number } {
  return line.took('queue') ? { queue: line.number('a queue', 15) } : {}
}
