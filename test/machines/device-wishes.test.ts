/**
 * What a toolstack wants for one device, by nodes of its own: features that are not to be offered, sectors that the guest
 * is to see.
 */
import { deviceMachine } from '../../src/machines/device.machine.js'
import type { DeviceEvent, RawNodes } from '../../src/machines/device/types.js'
import { begin, fold } from '../../src/machines/fold.js'
import { DEFAULT_RING_LIMITS, queuesOffered } from '../../src/protocol/negotiation.js'
import { frontendNodes, given, input, nodesRead, plan, says } from '../support/device-chart.js'

describe('what the toolstack wants for one device', () => {
  const offered = (nodes: RawNodes) => {
    const opened = given(nodesRead(nodes)).when({ type: 'medium.opened', plan, notes: [] })
    const effect = opened.effects.find(({ type }) => type === 'publishFeatures')
    if (effect?.type !== 'publishFeatures') throw new Error(`nothing is published in ${opened.state}`)
    return effect.nodes
  }

  test.each([
    ['flush-enable', 'feature-flush-cache'], ['barrier-enable', 'feature-barrier'], ['discard-enable', 'feature-discard'],
  ])('%s = 0 is a veto on %s, and 1 is none', (switchKey, feature) => {
    expect(offered({ [switchKey]: '0' })[feature]).toBe('0')
    expect(offered({ [switchKey]: '1' })[feature]).toBe('1')
    expect(offered({})[feature]).toBe('1')
  })

  test('vetoed transport is not offered, and not negotiated when a front end asks for it all the same', () => {
    const ring = { ...DEFAULT_RING_LIMITS, persistent: true, maxIndirectSegments: 32, maxQueues: 4 }
    const walk = (...events: readonly DeviceEvent[]) => events.reduce(
      ({ snapshot }, event) => fold(deviceMachine, snapshot, event),
      begin(deviceMachine, { ...input, settings: { ...input.settings, ring } }),
    )
    const vetoes = { 'persistent-enable': '0', 'indirect-enable': '0', 'multi-queue-enable': '0' }
    const opened: readonly DeviceEvent[] = [nodesRead(vetoes), { type: 'medium.opened', plan, notes: [] }]
    const effect = walk(...opened).effects.find(({ type }) => type === 'publishFeatures')
    expect(effect).toMatchObject({
      nodes: { 'feature-persistent': '0' }, withheld: ['feature-max-indirect-segments', 'multi-queue-max-queues'],
    })
    const answered = (asks: RawNodes) => walk(
      ...opened, { type: 'xenstore.featuresPublished' }, says('Initialised'),
      { type: 'xenstore.frontendRead', nodes: { ...frontendNodes, ...asks } },
    ).snapshot.context
    expect(answered({ 'multi-queue-num-queues': '2' }).error).toMatch(/multi-queue-num-queues is "2", but the limit is 1/)
    expect(answered({ 'feature-persistent': '1' }).connection).toMatchObject({ persistent: false })
  })

  test('sector-format goes to the medium; what is no format is a sentence', () => {
    const spec = given(nodesRead({ 'sector-format': '512e' })).effects.find(({ type }) => type === 'openMedium')
    expect(spec).toMatchObject({ spec: { sectorFormat: '512e' } })
    expect(given(nodesRead({ 'sector-format': '520' })).context.error)
      .toBe('sector-format says "520", but it may be 512, 1024, 2048, 4096, 512e')
  })

  test('where sectors are emulated one queue is offered', () => {
    const emulated = { ...plan.geometry, wholeSectorSize: 4096 }
    expect(queuesOffered(emulated, { ...DEFAULT_RING_LIMITS, maxQueues: 4 })).toBe(1)
    expect(queuesOffered(plan.geometry, { ...DEFAULT_RING_LIMITS, maxQueues: 4 })).toBe(4)
  })
})
