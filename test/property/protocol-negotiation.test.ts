import fc from 'fast-check'
import { negotiationKeys } from '../../src/protocol/keys.js'
import { DEFAULT_RING_LIMITS, negotiate, parseDomid, parseMode, parseVdev } from '../../src/protocol/negotiation.js'
import { parseXenbusState } from '../../src/protocol/xenbus-state.js'

const number = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 0, max: 2 ** 33 })).map(String)
const value = fc.oneof(
  { weight: 6, arbitrary: number }, fc.constantFrom('', ' ', '-1', '0x1', 'x86_32-abi', 'x86_64-abi'),
  fc.string({ unit: 'binary', maxLength: 60 }), fc.constant(undefined),
)
const keys = fc.dictionary(fc.constantFrom(...negotiationKeys()), value, { maxKeys: 28 })
/** Mostly right, so that the far end of the function is reached as well. */
const nearlyRight = fc
  .tuple(fc.integer({ min: 0, max: 4 }), fc.constantFrom('ring-page-order', 'num-ring-pages', 'ring-pages'), keys,
    fc.constantFrom(0, 0, 1, 2))
  .map(([order, size, noise, noisy]) => {
    const right: Record<string, string | undefined> = { 'event-channel': '3', 'ring-ref': '50' }
    right[size] = String(size === 'ring-page-order' ? order : 2 ** order)
    for (let page = 0; page < 2 ** order; page += 1) right[`ring-ref${page}`] = String(60 + page)
    return { ...right, ...Object.fromEntries(Object.entries(noise).slice(0, noisy)) }
  })

test('S7, B3, B4: whatever a front end writes, the result is a sound ring or one sentence', () => {
  let accepted = 0
  fc.assert(
    fc.property(fc.oneof(keys, nearlyRight), (written) => {
      const result = negotiate(written)
      if (!result.ok) {
        expect(result.sentence.length).toBeGreaterThan(5)
        expect(result.sentence.length).toBeLessThan(250)
        expect(negotiationKeys().some((key) => result.sentence.includes(key))).toBe(true)
        return
      }
      accepted += 1
      const { ring } = result
      expect([1, 2, 4, 8, 16]).toContain(ring.pages)
      expect(new Set(ring.grefs).size).toBe(ring.pages)
      expect(ring.grefs.every((gref) => Number.isInteger(gref) && gref >= 0 && gref < 2 ** 32)).toBe(true)
      expect(ring.entries).toBe(32 * ring.pages)
      expect(ring.maxRequests).toBeGreaterThanOrEqual(1)
      expect(ring.maxRequests).toBeLessThanOrEqual(Math.min(ring.entries, DEFAULT_RING_LIMITS.maxRequests))
      expect(ring.maxRequestSegments).toBeGreaterThanOrEqual(1)
      expect(ring.maxRequestSegments).toBeLessThanOrEqual(11)
      expect(ring.maxRequestSize % 512).toBe(0)
      expect(ring.maxRequestSize).toBeGreaterThanOrEqual(512 * ring.maxRequestSegments)
      expect(ring.maxRequestSize).toBeLessThanOrEqual(4096 * ring.maxRequestSegments)
    }),
    { numRuns: 2000 },
  )
  expect(accepted).toBeGreaterThan(200)
})

test('no text makes a parser throw', () => {
  fc.assert(
    fc.property(fc.oneof(value, fc.string()), (text) => {
      for (const parse of [parseDomid, parseMode, parseXenbusState]) expect(typeof parse(text).ok).toBe('boolean')
      expect(typeof parseVdev(text ?? '').ok).toBe('boolean')
    }),
  )
})
