/**
 * Scripts are read and printed without loss: whatever statements a machine puts together, their text means the same.
 */
import fc from 'fast-check'
import { INDEX_NAMES } from '../../src/script/ast.js'
import type { Expectation, ScriptRequest, Statement, U64 } from '../../src/script/ast.js'
import { parseScript } from '../../src/script/parse.js'
import { printScript } from '../../src/script/print.js'
import { NAME, RESERVED } from '../../src/script/words.js'
import { VETOABLE } from '../../src/protocol/keys.js'
import { SECTOR_FORMATS } from '../../src/protocol/sector-format.js'
import { XENBUS_STATES } from '../../src/protocol/xenbus-state.js'

const PAGES = ['a', 'b', 'page-3']
const REQUESTS = ['w', 'r', 'x.1']

const byte = fc.integer({ min: 0, max: 255 })
const u16 = fc.integer({ min: 0, max: 65_535 })
const u32 = fc.integer({ min: 0, max: 0xffffffff })
const u64: fc.Arbitrary<U64> = fc.tuple(u32, fc.oneof(fc.constant(0), u32))
const queue = fc.integer({ min: 0, max: 15 })
const page = fc.constantFrom(...PAGES)
const named = fc.constantFrom(...REQUESTS)
const ms = fc.oneof(fc.integer({ min: 1, max: 90_000 }), fc.integer({ min: 1, max: 999 }).map((us) => us / 1000))
const text = fc.oneof(fc.string({ maxLength: 20 }), fc.constantFrom('gone', 'x86_64-abi', '0', '', '#', '"', 'within'))
const word = text.filter((one) => !one.includes('\n') && !one.includes('\r'))
const state = fc.constantFrom(...XENBUS_STATES)
const where = fc.oneof(page.map((one) => ({ page: one })), u32.map((gref) => ({ gref })))
const some = <T>(values: fc.Arbitrary<T>) => fc.array(values, { minLength: 1, maxLength: 4 })
const maybe = fc.record

const lies = {
  sector: u64, fill: byte, flag: byte, nrSegments: u16, id: u64, handle: u16, queue, name: named,
  descriptors: some(where),
}
const segments = some(fc.tuple(where, byte, byte).map(([at, first, last]) => ({ ...at, first, last })))
const operation = fc.oneof(
  byte.filter((op) => op !== 6).map((op) => ({ op })),
  byte.map((inner) => ({ op: 6, inner })),
  fc.constant({ op: 6 }),
  some(u32).map((raw) => ({ op: raw[0] & 0xff, raw })),
)
const data = fc.oneof(fc.constant({}), u64.map((sectors) => ({ sectors })), segments.map((list) => ({ segments: list })))
const request: fc.Arbitrary<ScriptRequest> = fc
  .tuple(operation, data, maybe(lies, { requiredKeys: [] }))
  .map(([what, where, more]) => ({ ...what, ...where, ...more }))

const within = maybe({ withinMs: ms }, { requiredKeys: [] })
const timed = (expected: fc.Arbitrary<object>) =>
  fc.tuple(expected, within).map(([one, more]) => ({ ...one, ...more }) as Expectation)
const content = fc.oneof(
  byte.map((value) => ({ is: 'byte' as const, byte: value })),
  u32.map((crc) => ({ is: 'crc32' as const, crc })),
  fc.constantFrom(...PAGES, ...REQUESTS).map((name) => ({ is: 'same' as const, name })),
)
const expectation: fc.Arbitrary<Expectation> = fc.oneof(
  timed(fc.record({ what: fc.constant('answers'), names: some(named), status: fc.integer({ min: -500, max: 0 }) })),
  fc.tuple(some(named), maybe({ forMs: ms }, { requiredKeys: [] }))
    .map(([names, more]) => ({ what: 'unanswered' as const, names, ...more })),
  timed(fc.record({ what: fc.constant('state'), state })),
  timed(fc.record({ what: fc.constant('key'), key: word, value: word }, { requiredKeys: ['what', 'key'] })),
  fc.record({ what: fc.constant('data'), name: fc.constantFrom(...PAGES, ...REQUESTS), content }),
  timed(fc.record({ what: fc.constantFrom('mapped', 'unmapped'), name: fc.constantFrom('ring', ...PAGES) })),
  timed(fc.record(
    { what: fc.constant('index'), index: fc.constantFrom(...INDEX_NAMES), value: u32, queue },
    { requiredKeys: ['what', 'index', 'value'] },
  )),
)

const pages = fc.constantFrom(1, 2, 4, 8, 16)
const queues = fc.integer({ min: 1, max: 16 })
/** What fast-check calls an object, and we know better. */
const known = (fields: object): Statement => fields as Statement
type Fields = Readonly<Record<string, fc.Arbitrary<unknown>>>
const act = (what: Statement['do'], fields: Fields, needed: string[]) =>
  fc.record(fields, { requiredKeys: needed }).map((rest) => known({ do: what, ...rest }))
const plain: fc.Arbitrary<Statement> = fc.oneof(
  word.map((one) => known({ do: 'comment', text: one.trim() })),
  act('abi', { abi: fc.constantFrom('x86_64', 'x86_32') }, ['abi']),
  fc.integer({ min: 1, max: 1 << 20 }).map((sectors) => known({ do: 'disk', disk: 'size', bytes: sectors * 512 })),
  act('disk', { disk: fc.constantFrom('read-only', 'well') }, ['disk']),
  ms.map((time) => known({ do: 'disk', disk: 'slow', ms: time })),
  fc.constantFrom(...SECTOR_FORMATS).map((format) => known({ do: 'disk', disk: 'sector-size', format })),
  some(fc.constantFrom(...VETOABLE)).map((features) => known({ do: 'disk', disk: 'without', features })),
  fc.record({ errno: fc.integer({ min: 0, max: 4095 }), sectors: fc.tuple(u32, u32) }, { requiredKeys: ['errno'] })
    .map((rest) => known({ do: 'disk', disk: 'fails', ...rest })),
  act('setting', { key: word, value: word }, ['key', 'value']),
  act('connect', { pages, queues, persistent: fc.constant(true) }, []),
  act('rings', { pages, queues }, []),
  act('keys', { persistent: fc.constant(true) }, []),
  act('key', { key: word, value: word }, ['key']),
  act('state', { state }, ['state']),
  act('page', { name: page, grant: fc.constantFrom('read-write', 'read-only', 'none') }, ['name', 'grant']),
  act('fill', { name: page, byte }, ['name', 'byte']),
  act('grant', { name: page, readOnly: fc.boolean() }, ['name', 'readOnly']),
  act('revoke', { name: page }, ['name']),
  fc.tuple(fc.constantFrom('put', 'stage'), request).map(([what, one]) => known({ do: what, request: one })),
  act('publish', { quietly: fc.boolean(), queue }, ['quietly']),
  act('notify', { queue }, []),
  act('index', { index: fc.constantFrom(...INDEX_NAMES), value: u32, relative: fc.boolean(), queue }, ['index', 'value', 'relative']),
  act('poke', { name: named, word: fc.integer({ min: 0, max: 27 }), value: u32 }, ['name', 'word', 'value']),
  expectation.map((expected) => known({ do: 'expect', expected })),
  ms.map((time) => known({ do: 'wait', ms: time })),
  fc.constantFrom('kill', 'stop', 'start', 'close', 'vanish').map((what) => known({ do: what })),
)
const repeated = fc
  .tuple(fc.integer({ min: 0, max: 1_000_000 }), fc.array(plain, { maxLength: 4 }))
  .map(([times, body]) => known({ do: 'repeat', times, body }))

/** Names are made before they are used. */
const prelude: Statement[] = [
  ...PAGES.map((name) => ({ do: 'page', name, grant: 'none' }) as const),
  ...REQUESTS.map((name) => ({ do: 'stage', request: { op: 0, name } }) as const),
]

function bare(statements: readonly Statement[]): Statement[] {
  return statements.map(({ line: _, ...statement }) => {
    return known(statement.do === 'repeat' ? { ...statement, body: bare(statement.body) } : statement)
  })
}

test('what is printed is read as the same statements, and printed as the same text', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(plain, repeated), { maxLength: 12 }), (statements) => {
      const script = [...prelude, ...statements]
      const printed = printScript(script)
      const again = parseScript(printed)
      expect(bare(again)).toEqual(script)
      expect(printScript(again)).toBe(printed)
    }),
    { numRuns: 400 },
  )
})

test('whatever bytes a script is made of, reading it ends with statements or with one error', () => {
  const fragments = fc.constantFrom('put', 'read', 'expect', 'repeat', 'end', 'a', '0-7', '@9', '"', '#', '-1', 'key', ' ', '\n', 'as')
  const texts = fc.oneof(fc.string({ unit: 'binary' }), fc.array(fragments).map((all) => all.join(' ')))
  fc.assert(
    fc.property(texts, (one) => {
      try {
        parseScript(one)
      } catch (error) {
        expect((error as { code: string }).code).toBe('XBBD_SCRIPT')
      }
    }),
    { numRuns: 1000 },
  )
})

test('no name of a page or request could be taken for a word of the language', () => {
  for (const name of [...PAGES, ...REQUESTS]) expect(NAME.test(name) && !RESERVED.has(name)).toBe(true)
})
