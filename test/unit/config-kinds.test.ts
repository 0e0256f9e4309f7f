import fc from 'fast-check'
import { describeKind, parseValue, printValue, type Kind } from '../../src/cli/config/kinds.js'
import { editDistance, nearest } from '../../src/protocol/nearest.js'
import { formatBytes, formatCount, formatDuration, formatNanoseconds, formatSize } from '../../src/cli/units.js'
import { parseDuration, parseSize } from '../../src/cli/units.js'

const why = (kind: Kind, text: string) => {
  const parsed = parseValue(kind, text)
  return parsed.ok ? `accepted as ${String(parsed.value)}` : parsed.why
}

test('sizes and durations print to what reads back exactly', () => {
  fc.assert(fc.property(fc.nat(), fc.integer({ min: 0, max: 4 }), (n, unit) => {
    const bytes = (n % 4096) * 1024 ** unit
    expect(parseSize(formatSize(bytes))).toBe(bytes)
    expect(parseDuration(formatDuration(n))).toBe(n)
  }))
})

test('sizes are read with and without unit, in either case, with a fraction', () => {
  expect([parseSize('4096'), parseSize('64M'), parseSize('64MiB'), parseSize('1.5k'), parseSize('2gb')]).toEqual([
    4096, 64 * 1024 ** 2, 64 * 1024 ** 2, 1536, 2 * 1024 ** 3,
  ])
  for (const text of ['', 'M', '-1', '1.0001', '1e3', '64X', '64 M B', '99999999T'])
    expect([text, parseSize(text)]).toEqual([text, undefined])
})

test('a duration needs its unit, except nothing at all', () => {
  expect([parseDuration('0'), parseDuration('250ms'), parseDuration('1.5s'), parseDuration('2m')]).toEqual([0, 250, 1500, 120_000])
  for (const text of ['10', '', 's', '-1s', '1d', '0.0001ms']) expect([text, parseDuration(text)]).toEqual([text, undefined])
})

test('measured figures keep three digits and move to the next unit at its edge', () => {
  expect([formatBytes(0), formatBytes(1023), formatBytes(1536), formatBytes(1024 ** 3 - 1)]).toEqual([
    '0 B', '1023 B', '1.50 KiB', '1 GiB',
  ].map((text) => text.replace('1 GiB', '1.00 GiB')))
  expect([formatNanoseconds(850), formatNanoseconds(12_345), formatNanoseconds(999_600)]).toEqual(['850 ns', '12.3 µs', '1.00 ms'])
  expect([formatCount(7), formatCount(12_345), formatCount(3.5e6)]).toEqual(['7', '12.3k', '3.50M'])
  expect(formatBytes(Number.NaN)).toBe('-')
})

test('every kind refuses what lies outside of it, with words that say what would do', () => {
  expect(why({ type: 'integer', min: 1, max: 512 }, '513')).toBe('must lie between 1 and 512')
  expect(why({ type: 'integer', min: 1, max: 512 }, '1.5')).toBe('must be a whole number between 1 and 512')
  expect(why({ type: 'size', min: 4096, max: 65536, multipleOf: 4096 }, '5000')).toBe('must be a multiple of 4K')
  expect(why({ type: 'size', min: 4096, max: 65536 }, '1M')).toBe('must lie between 4K and 64K')
  expect(why({ type: 'duration', min: 0, max: 1000 }, '10')).toMatch(/with its unit/)
  expect(why({ type: 'boolean' }, 'maybe')).toBe('must be yes or no')
  expect(why({ type: 'choice', values: ['auto', 'io_uring', 'threads'] }, 'threds')).toBe(
    'must be one of auto, io_uring, threads (did you mean threads?)',
  )
  expect(why({ type: 'path' }, 'run/xbbd')).toMatch(/absolute/)
  expect(why({ type: 'path' }, '')).toMatch(/absolute/)
  expect(why({ type: 'path', optional: true }, '')).toBe('accepted as ')
  expect(why({ type: 'word', pattern: /^[a-z]+$/, says: 'lower case' }, 'Vbd')).toBe('must be lower case')
})

test('booleans have four spellings each', () => {
  expect(['yes', 'ON', 'true', '1', 'no', 'off', 'False', '0'].map((text) => why({ type: 'boolean' }, text))).toEqual([
    ...Array<string>(4).fill('accepted as true'),
    ...Array<string>(4).fill('accepted as false'),
  ])
  expect(printValue({ type: 'boolean' }, true)).toBe('yes')
  expect(describeKind({ type: 'boolean' })).toBe('yes|no')
})

test('the edit distance counts insert, delete, replace and swap', () => {
  expect([
    editDistance('', 'abc'), editDistance('abc', 'abc'), editDistance('abc', 'acb'),
    editDistance('kitten', 'sitting'), editDistance('ca', 'abc'),
  ]).toEqual([3, 0, 1, 3, 3])
  fc.assert(fc.property(fc.string({ maxLength: 12 }), fc.string({ maxLength: 12 }), (a, b) => {
    const distance = editDistance(a, b)
    expect(distance).toBe(editDistance(b, a))
    expect(distance === 0).toBe(a === b)
    expect(distance).toBeLessThanOrEqual(Math.max(a.length, b.length))
  }))
})

test('a suggestion is near or there is none', () => {
  expect(nearest('jurnal.size', ['journal.size', 'journal.mode'])).toBe('journal.size')
  expect(nearest('zzz', ['journal.size'])).toBeUndefined()
  expect(nearest('', ['a'])).toBe('a')
})
