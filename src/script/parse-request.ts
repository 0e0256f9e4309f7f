/**
 * @packageDocumentation
 * A request behind `put` or `stage`: its operation, then clauses in any order, each once.
 *
 *   put write at 128 sectors 16 fill 0x5a as w
 *   put read segments a:0-3 @99:0-7 nr-segments 200
 *   put indirect read at 0 sectors 128 descriptors @99
 *   put op 77 id 0xffffffffffffffff
 *   put raw 0x00000001 0 7 0 …
 */
import { BLKIF_OP_INDIRECT, SECTORS_PER_PAGE } from '../protocol/blkif.js'
import type { PageOrGref, ScriptRequest, ScriptSegment } from './ast.js'
import type { LineReader } from './reader.js'
import { choices } from './tokens.js'
import { CLAUSES, OPERATIONS } from './words.js'

/** Names that a script has given so far. */
export interface Names {
  readonly pages: Set<string>
  readonly requests: Set<string>
}

const U32_MAX = 0xffffffff
/** Words of the larger of both entries. */
const ENTRY_WORDS_MAX = 28

type Draft = { -readonly [Field in keyof ScriptRequest]: ScriptRequest[Field] }

export function parseRequest(line: LineReader, names: Names): ScriptRequest {
  const request: Draft = operation(line)
  const seen = new Set<string>()
  while (!line.atEnd) {
    const clause = line.oneOf('clause', CLAUSES)
    if (seen.has(clause)) line.fail(`${clause} stands twice in this line: take one away`)
    seen.add(clause)
    readClause(line, clause, request, names)
  }
  if (request.sectors && request.segments) line.fail('sectors makes fresh pages, segments names them: use one of both')
  if (request.name !== undefined) names.requests.add(request.name)
  return request
}

function operation(line: LineReader): Draft {
  const known = [...Object.keys(OPERATIONS), 'indirect', 'op', 'raw']
  const word = line.oneOf('operation', known)
  if (word === 'op') return { op: line.number('an operation', 255) }
  if (word === 'raw') return rawWords(line)
  if (word !== 'indirect') return { op: OPERATIONS[word] }
  const inner = line.next('the inner operation: read or write').text
  if (inner === 'op') return { op: BLKIF_OP_INDIRECT, inner: line.number('an operation', 255) }
  if (!Object.hasOwn(OPERATIONS, inner)) line.fail(`there is no operation ${inner}: ${choices(inner, known)}`)
  return { op: BLKIF_OP_INDIRECT, inner: OPERATIONS[inner] }
}

function rawWords(line: LineReader): Draft {
  const raw: number[] = []
  while (line.word !== undefined && /^\d/.test(line.word)) raw.push(line.number('a word of the entry', U32_MAX))
  if (raw.length === 0 || raw.length > ENTRY_WORDS_MAX) line.fail(`raw is followed by 1 to ${ENTRY_WORDS_MAX} words`)
  return { op: raw[0] & 0xff, raw }
}

function readClause(line: LineReader, clause: (typeof CLAUSES)[number], request: Draft, names: Names): void {
  switch (clause) {
    case 'at':
      return void (request.sector = line.u64('a sector'))
    case 'sectors':
      return void (request.sectors = line.u64('a number of sectors'))
    case 'segments':
      return void (request.segments = listOf(line, () => segment(line, names)))
    case 'fill':
      return void (request.fill = line.number('a byte', 255))
    case 'flag':
      return void (request.flag = line.number('a flag', 255))
    case 'descriptors':
      return void (request.descriptors = listOf(line, () => pageOrGref(line, line.next('a page').text, names)))
    case 'nr-segments':
      return void (request.nrSegments = line.number('nr_segments', 65_535))
    case 'id':
      return void (request.id = line.u64('an id'))
    case 'handle':
      return void (request.handle = line.number('a handle', 65_535))
    case 'queue':
      return void (request.queue = line.number('a queue', 15))
    case 'as':
      return void (request.name = line.newName('request'))
  }
}

/** One or more of what `read` reads, up to the next clause. */
function listOf<Item>(line: LineReader, read: () => Item): Item[] {
  const items = [read()]
  while (line.word !== undefined && !(CLAUSES as readonly string[]).includes(line.word)) items.push(read())
  return items
}

/** `a`, `a:0-3`, `@99:0-255`. */
function segment(line: LineReader, names: Names): ScriptSegment {
  const { text } = line.next('a segment')
  const match = /^([^:]+)(?::(\d{1,3})-(\d{1,3}))?$/.exec(text)
  if (!match) return line.fail('a segment is a page, or sectors of it: a, a:0-3, @99:0-7')
  const [, page, first = '0', last = String(SECTORS_PER_PAGE - 1)] = match
  if (Number(first) > 255 || Number(last) > 255) line.fail('first_sect and last_sect are bytes: 0 to 255')
  return { ...pageOrGref(line, page, names), first: Number(first), last: Number(last) }
}

function pageOrGref(line: LineReader, text: string, names: Names): PageOrGref {
  const gref = /^@(\d{1,10})$/.exec(text)
  if (gref && Number(gref[1]) <= U32_MAX) return { gref: Number(gref[1]) }
  if (names.pages.has(text)) return { page: text }
  return line.fail(`no page before this line is called ${text}: make one (page ${text}), or name a reference (@99)`)
}
