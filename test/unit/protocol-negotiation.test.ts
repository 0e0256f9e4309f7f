import {
  DEFAULT_RING_LIMITS, negotiate, type FrontendKeys, type NegotiatedRing, type RingLimits,
} from '../../src/protocol/negotiation.js'
import { negotiationKeys } from '../../src/protocol/keys.js'

const limits: RingLimits = DEFAULT_RING_LIMITS
const base = { 'event-channel': '7', protocol: 'x86_64-abi' }
const onePage = { ...base, 'ring-ref': '8' }
const refs = (count: number, from = 0) =>
  Object.fromEntries(
    Array.from({ length: count }, (_, page) => [`ring-ref${page}`, `${100 + page}`] as const).slice(from),
  )

function ring(keys: FrontendKeys, with_: Partial<RingLimits> = {}): NegotiatedRing {
  const result = negotiate(keys, { ...limits, ...with_ })
  if (!result.ok) throw new Error(result.sentence)
  return result.ring
}

function sentence(keys: FrontendKeys, with_: Partial<RingLimits> = {}): string {
  const result = negotiate(keys, { ...limits, ...with_ })
  if (result.ok) throw new Error(`accepted: ${JSON.stringify(result.ring)}`)
  return result.sentence
}

test('S7: the least that a front end writes: ring-ref and event-channel', () => {
  expect(ring(onePage)).toEqual({
    grefs: [8], pages: 1, entries: 32, abi: 'x86_64', abiAssumed: false, evtchn: 7, queues: 1,
    maxRequests: 32, maxRequestSegments: 11, maxRequestSize: 45056, persistent: false, notes: [],
  })
})

const queue = (index: number, keys: Record<string, string>) =>
  Object.fromEntries(Object.entries(keys).map(([key, value]) => [`queue-${index}/${key}`, value]))
const two = {
  protocol: 'x86_64-abi', 'multi-queue-num-queues': '2',
  ...queue(0, { 'ring-ref': '8', 'event-channel': '7' }), ...queue(1, { 'ring-ref': '9', 'event-channel': '6' }),
}
const four = { maxQueues: 4 }

test('several queues have rings and channels of their own, of one size; one alone has the keys of always', () => {
  expect(ring(two, four)).toMatchObject({ queues: 2, grefs: [8], evtchn: 7, others: [{ grefs: [9], evtchn: 6 }] })
  const paged = { ...two, 'ring-page-order': '1', ...queue(0, refs(2)), ...queue(1, { 'ring-ref0': '20', 'ring-ref1': '21' }) }
  expect(ring(paged, four)).toMatchObject({ pages: 2, grefs: [100, 101], others: [{ grefs: [20, 21], evtchn: 6 }] })
  expect(ring({ ...onePage, 'multi-queue-num-queues': '1' }, four)).not.toHaveProperty('others')
  // The keys at the top are those of nobody, then.
  expect(ring({ ...two, 'ring-ref': 'nonsense', 'event-channel': '0' }, four)).toMatchObject({ grefs: [8], evtchn: 7 })
})

test.each([
  ['multi-queue-num-queues', '5', /multi-queue-num-queues is "5"/],
  ['multi-queue-num-queues', '0', /multi-queue-num-queues is "0"/],
  ['multi-queue-num-queues', 'two', /multi-queue-num-queues/],
  ['multi-queue-num-queues', '3', /queue-2\/event-channel is missing/],
  ['queue-1/ring-ref', '8', /queue 1 has the page 8 in its ring, as another queue has/],
  ['queue-1/ring-ref', undefined, /queue-1\/ring-ref is missing/],
  ['queue-1/event-channel', '7', /queue-1\/event-channel is 7, which queue 0 has already/],
  ['queue-0/event-channel', '0', /queue-0\/event-channel is "0"/],
])('several queues: %s = %s is one sentence', (key, value, says) => {
  expect(sentence({ ...two, [key]: value }, four)).toMatch(says)
})

test('several queues are refused where they were not offered', () => {
  expect(sentence(two)).toMatch(/multi-queue-num-queues is "2"/)
})

test('S7, B33: a multi-page ring needs ring-ref0 to ring-refN and no ring-ref, by either modern key', () => {
  for (const order of [0, 1, 2, 3, 4]) {
    const pages = 2 ** order
    for (const size of [{ 'ring-page-order': `${order}` }, { 'num-ring-pages': `${pages}` }]) {
      const { grefs, entries } = ring({ ...base, ...size, ...refs(pages) })
      expect(grefs).toEqual(Array.from({ length: pages }, (_, page) => 100 + page))
      expect(entries).toBe(32 * pages)
    }
  }
})

test('S7: a ring-ref that is there beside a multi-page ring is not looked at', () => {
  expect(ring({ ...base, 'ring-page-order': '1', ...refs(2), 'ring-ref': 'nonsense' }).grefs).toEqual([100, 101])
})

test('S7: the keys of 2010: ring-pages, ring-ref for page 0, ring-ref1 …', () => {
  const old = { ...base, 'ring-pages': '4', 'ring-ref': '9', ...refs(4, 1) }
  expect(ring(old).grefs).toEqual([9, 101, 102, 103])
  const sizes = { 'max-requests': '100', 'max-request-segments': '8', 'max-request-size': '28672' }
  expect(ring({ ...old, ...sizes })).toMatchObject({
    maxRequests: 100, maxRequestSegments: 8, maxRequestSize: 28672,
  })
  expect(ring({ ...base, 'ring-pages': '1', 'ring-ref': '9' }).grefs).toEqual([9])
  expect(sentence({ ...base, 'ring-pages': '4', ...refs(4, 1) })).toBe('ring-ref is missing for a ring of 4 pages')
})

test('S7: one page by ring-ref0 is borne; where both differ ring-ref is taken, with a note', () => {
  expect(ring({ ...base, 'ring-page-order': '0', 'ring-ref0': '5' }).grefs).toEqual([5])
  expect(ring({ ...base, 'ring-ref': '5', 'ring-ref0': '5' })).toMatchObject({ grefs: [5], notes: [] })
  const both = ring({ ...base, 'ring-ref': '6', 'ring-ref0': '5' })
  expect(both.grefs).toEqual([6])
  expect(both.notes).toHaveLength(1)
})

test('S7: empty keys read as absent', () => {
  const empty = Object.fromEntries(negotiationKeys().map((key) => [key, '']))
  expect(ring({ ...empty, ...onePage })).toEqual(ring(onePage))
  expect(sentence({ ...empty, 'ring-ref': '8' })).toBe('event-channel is missing')
  expect(sentence({ ...onePage, 'ring-ref': ' ' })).toBe('ring-ref is missing')
  expect(sentence({ ...base, 'ring-page-order': '1', 'ring-ref0': '4', 'ring-ref1': '' }))
    .toBe('ring-ref1 is missing for a ring of 2 pages')
})

test('S7: keys that contradict each other are refused, those that agree are not', () => {
  expect(sentence({ ...base, 'ring-page-order': '2', 'num-ring-pages': '2', ...refs(4) }))
    .toBe('ring-page-order is 2 and num-ring-pages is 2: they contradict each other')
  expect(sentence({ ...onePage, 'ring-page-order': '0', 'ring-pages': '2' })).toContain('contradict')
  expect(ring({ ...base, 'ring-page-order': '2', 'num-ring-pages': '4', 'ring-pages': '4', ...refs(4) }).pages).toBe(4)
})

test('S7: everything over its limit is a sentence with key, value and limit', () => {
  const over: [key: string, value: string, limit: number][] = [
    ['ring-page-order', '5', 4],
    ['num-ring-pages', '32', 16],
    ['ring-pages', '17', 16],
    ['max-requests', '257', 256],
    ['max-request-segments', '33', 11],
    ['max-request-size', '131072', 45056],
    ['multi-queue-num-queues', '2', 1],
    ['ring-ref', '4294967296', 4294967295],
    ['event-channel', '4294967296', 4294967295],
  ]
  for (const [key, value, limit] of over)
    expect(sentence({ ...onePage, [key]: value })).toBe(`${key} is "${value}", but the limit is ${limit}`)
  const small = { maxRingPageOrder: 1 }
  expect(sentence({ ...onePage, 'ring-pages': '4' }, small)).toBe('ring-pages is "4", but the limit is 2')
})

test('B4: everything below its limit as well', () => {
  expect(sentence({ ...onePage, 'num-ring-pages': '0' })).toBe('num-ring-pages is "0", but the least is 1')
  expect(sentence({ ...onePage, 'ring-pages': '0' })).toBe('ring-pages is "0", but the least is 1')
  expect(sentence({ ...onePage, 'max-requests': '0' })).toBe('max-requests is "0", but the least is 1')
  expect(sentence({ ...onePage, 'max-request-segments': '0' })).toBe('max-request-segments is "0", but the least is 1')
  expect(sentence({ ...onePage, 'max-request-size': '0' })).toBe('max-request-size is "0", but the least is 512')
  expect(sentence({ ...onePage, 'multi-queue-num-queues': '0' })).toContain('the least is 1')
  expect(sentence({ ...onePage, 'event-channel': '0' })).toContain('the least is 1')
  expect(sentence({ ...base, 'num-ring-pages': '3', ...refs(4) })).toContain('power of two')
})

test('B3: bytes and segments of a request must fit each other', () => {
  const sizes = (segments: string | undefined, size: string | undefined) =>
    ({ ...onePage, 'max-request-segments': segments, 'max-request-size': size })
  expect(sentence(sizes('11', '1'))).toContain('the least is 512')
  expect(sentence(sizes('11', '512'))).toContain('at least 5632 bytes')
  expect(sentence(sizes('2', '45056'))).toContain('at most 8192 bytes')
  expect(sentence(sizes('2', '5000'))).toContain('multiple of 512')
  expect(ring(sizes('4', undefined)).maxRequestSize).toBe(16384)
  expect(ring(sizes(undefined, '1024'))).toMatchObject({ maxRequestSegments: 2, maxRequestSize: 1024 })
  expect(ring(sizes('11', '40960'))).toMatchObject({ maxRequestSegments: 11, maxRequestSize: 40960 })
})

test('S9: the pool is never larger than the ring', () => {
  expect(ring({ ...onePage, 'max-requests': '256' }).maxRequests).toBe(32)
  expect(ring({ ...base, 'ring-page-order': '4', ...refs(16) })).toMatchObject({ entries: 512, maxRequests: 256 })
})

test('S8: the ABI by name; absence takes the chosen fallback and says so; unknown names are refused', () => {
  const named = (protocol: string | undefined, abiFallback: RingLimits['abiFallback'] = 'native') =>
    ring({ ...onePage, protocol }, { abiFallback })
  expect(named('x86_32-abi')).toMatchObject({ abi: 'x86_32', abiAssumed: false })
  expect(named('arm-abi')).toMatchObject({ abi: 'x86_64', abiAssumed: false })
  expect(named(undefined)).toMatchObject({ abi: 'x86_64', abiAssumed: true })
  expect(named('', 'x86_32')).toMatchObject({ abi: 'x86_32', abiAssumed: true })
  expect(named(undefined).notes[0]).toContain('protocol is absent')
  for (const protocol of ['ia64-abi', 'x86_64', 'constructor', '__proto__'])
    expect(sentence({ ...onePage, protocol })).toContain(`protocol is "${protocol}"`)
})

test('numbers are decimal and nothing else', () => {
  for (const text of ['-1', '+1', '0x8', '8 9', '1e3', '8.0', '٣', 'NaN', '12abc'])
    expect(sentence({ ...onePage, 'ring-ref': text })).toBe(`ring-ref is "${text}", which is no decimal number`)
})

test('a value as long as XenStore allows does not make a sentence as long', () => {
  expect(sentence({ ...onePage, protocol: 'x'.repeat(4096) }).length).toBeLessThan(200)
  expect(sentence({ ...onePage, 'ring-ref': '9'.repeat(4096) }).length).toBeLessThan(200)
})

test('one page cannot stand twice in a ring', () => {
  expect(sentence({ ...base, 'ring-page-order': '1', 'ring-ref0': '5', 'ring-ref1': '5' }))
    .toBe('ring-ref1 is 5, which page 0 of the ring has already')
})

test('all nodes that negotiation reads are named once', () => {
  const keys = negotiationKeys()
  expect(new Set(keys).size).toBe(keys.length)
  expect(keys).toEqual(expect.arrayContaining(['event-channel', 'ring-ref', 'ring-ref0', 'ring-ref15', 'ring-pages']))
})

test('S19: grants stay mapped only where both sides agree, and only in the mode that offers it', () => {
  const agreed = (offered: boolean, front?: string) =>
    ring({ ...onePage, ...(front === undefined ? {} : { 'feature-persistent': front }) }, { persistent: offered }).persistent
  expect([agreed(true, '1'), agreed(true, '0'), agreed(true), agreed(false, '1')]).toEqual([true, false, false, false])
  expect(sentence({ ...onePage, 'feature-persistent': 'maybe' })).toContain('feature-persistent is "maybe"')
})

test('S17: segments beyond an entry are taken where the front end asks for them, as many as its layout carries whole', () => {
  const limits = { ...DEFAULT_RING_LIMITS, maxRequestSegments: 33 }
  const base = { 'ring-ref': '8', 'event-channel': '9', protocol: 'x86_64-abi' }
  const asked = (keys: Record<string, string>) => negotiate({ ...base, ...keys }, limits)
  expect(asked({})).toMatchObject({ ring: { maxRequestSegments: 11, maxRequestSize: 45_056 } })
  expect(asked({ 'max-request-segments': '33' })).toMatchObject({ ring: { maxRequestSegments: 33, maxRequestSize: 135_168 } })
  expect(asked({ 'max-request-size': '131072' })).toMatchObject({ ring: { maxRequestSegments: 32, maxRequestSize: 131_072 } })
  expect(asked({ 'max-request-segments': '34' })).toMatchObject({ ok: false })
  const small = { protocol: 'x86_32-abi' }
  expect(asked({ ...small, 'max-request-segments': '24' })).toMatchObject({ ok: true })
  expect(asked({ ...small, 'max-request-segments': '25' })).toEqual({
    ok: false, sentence: 'max-request-segments is 25, but entries of x86_32 carry 24 at most',
  })
})
