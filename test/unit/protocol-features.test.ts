import {
  DEFAULT_RING_LIMITS, backendFeatures, deviceProperties, negotiate, offersOf, type DiskProperties, type OfferSettings,
} from '../../src/protocol/negotiation.js'

const disk: DiskProperties = {
  sectorCount: 2 ** 40, sectorSize: 4096, physicalSectorSize: 4096, readOnly: false,
  canFlush: true, canDiscard: true, canSecureDiscard: false, discardGranularity: 65536, discardAlignment: 0,
}
const features = (change: Partial<DiskProperties> = {}, settings: OfferSettings = {}) =>
  Object.fromEntries(backendFeatures({ ...disk, ...change }, DEFAULT_RING_LIMITS, settings))
const properties = (change: Partial<DiskProperties> = {}, settings: OfferSettings = {}) =>
  Object.fromEntries(deviceProperties({ ...disk, ...change }, settings))

test('S2: the keys of 2010 and the modern ones beside them, before InitWait', () => {
  expect(features()).toEqual({
    'feature-barrier': '1', 'feature-flush-cache': '1',
    'feature-discard': '1', 'discard-granularity': '65536', 'discard-alignment': '0', 'discard-secure': '0',
    'feature-persistent': '0', 'max-ring-page-order': '4', 'max-ring-pages': '16',
    'max-requests': '256', 'max-request-segments': '11', 'max-request-size': '45056',
  })
})

test('S2, B19: only what the medium can is promised', () => {
  expect(features({ canFlush: false })).toMatchObject({ 'feature-barrier': '0', 'feature-flush-cache': '0' })
  expect(features({ canDiscard: false })['feature-discard']).toBe('0')
  expect(features({ canDiscard: false })).not.toHaveProperty('discard-granularity')
  expect(features({ canSecureDiscard: true })['discard-secure']).toBe('1')
  expect(features({ readOnly: true })).toMatchObject({ 'feature-barrier': '0', 'feature-discard': '0' })
})

test('S2: what is not served yet has no node at all, for its presence is the offer', () => {
  const names = Object.keys({ ...features(), ...properties() })
  for (const name of ['feature-max-indirect-segments', 'multi-queue-max-queues'])
    expect(names).not.toContain(name)
})

test("S3: the operator's vetoes and mode bind what is offered", () => {
  const none = { offersFlush: false, offersBarrier: false, offersDiscard: false, offersSecureDiscard: false }
  expect(offersOf(disk, { readOnly: true })).toEqual({ readOnly: true, ...none })
  expect(offersOf(disk, { barrier: false, discard: false }))
    .toEqual({ ...none, readOnly: false, offersFlush: true })
  expect(features({}, { discard: false })['feature-discard']).toBe('0')
})

test('S11, B34: sectors count 512 bytes, whatever sector-size says', () => {
  expect(properties()).toMatchObject({
    sectors: String(2 ** 40), 'sector-size': '4096', 'physical-sector-size': '4096', info: '0',
    'feature-discard': '1', 'discard-granularity': '65536',
  })
  expect(properties({ sectorCount: 2 ** 44 - 8 })['sectors']).toBe('17592186044408')
})

test('S11, B34: info has CDROM, REMOVABLE and READONLY', () => {
  expect(properties({}, { cdrom: true })['info']).toBe('1')
  expect(properties({}, { removable: true })['info']).toBe('2')
  expect(properties({ readOnly: true })['info']).toBe('4')
  expect(properties({}, { readOnly: true, cdrom: true, removable: true })['info']).toBe('7')
})

test('S2, S7: a front end that takes every limit as published is accepted', () => {
  const offered = features()
  const result = negotiate({
    'event-channel': '1', 'ring-pages': offered['max-ring-pages'], 'ring-ref': '1000',
    ...Object.fromEntries(Array.from({ length: 15 }, (_, index) => [`ring-ref${index + 1}`, `${index + 1}`])),
    'max-requests': offered['max-requests'],
    'max-request-segments': offered['max-request-segments'], 'max-request-size': offered['max-request-size'],
  })
  expect(result).toMatchObject({ ok: true, ring: { pages: 16, maxRequests: 256, maxRequestSize: 45056 } })
})

test('S19: feature-persistent is offered in the mode that keeps grants mapped, and otherwise refused in so many words', () => {
  const offered = (persistent: boolean) =>
    Object.fromEntries(backendFeatures(disk, { ...DEFAULT_RING_LIMITS, persistent }))['feature-persistent']
  expect([offered(true), offered(false)]).toEqual(['1', '0'])
})
