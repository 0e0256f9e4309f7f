/**
 * @packageDocumentation
 * The device chart by given, when, then: whole lives told as inputs, with the effects that each must ask for. Titles
 * carry the rows of the descent table (S…) and of the list of old defects (B…) that they settle.
 */
import { deviceMachine } from '../../src/machines/device.machine.js'
import { replayActor } from '../../src/machines/fold.js'
import { steps } from '../../src/machines/device/steps.js'
import type { DeviceEffect, DeviceEvent } from '../../src/machines/device/types.js'
import type { QueueLegacy } from '../../src/ports/queues.js'
import {
  given, givenState, held, input, legacyRead, names, nodesRead, outcomes, plan, queueDied, says, settle, undone,
  ways, renewed, withDrive, type Given, carriedOn,
} from '../support/device-chart.js'

const CONNECTED = 'Connected.intake.Running Connected.medium.Present'
const opened: DeviceEvent = { type: 'medium.opened', plan, notes: [] }
const switches = (effects: readonly DeviceEffect[]) => names(effects).filter((name) => name.startsWith('→'))

test('S6: hotplug-status=connected and the features are written before InitWait, after the medium is open', () => {
  const publishing = given(nodesRead(), opened)
  expect(publishing.effects).toEqual([{ type: 'publishFeatures', nodes: expect.objectContaining({ 'hotplug-status': 'connected' }) as object, withheld: ['feature-max-indirect-segments', 'multi-queue-max-queues'] }])
  expect(switches(publishing.all)).toEqual([])
  expect(switches(publishing.when({ type: 'xenstore.featuresPublished' }).effects)).toEqual(['→ InitWait'])
})

test('S3, XSA-142: read-only unless mode says w, and the medium is opened so; the front end’s copies are never read', () => {
  const spec = (mode: string | undefined) => given(nodesRead({ mode })).effects.find(({ type }) => type === 'openMedium')
  expect(spec('w')).toEqual({ type: 'openMedium', spec: { target: 'null:1M', readOnly: false } })
  expect(spec('r')).toEqual({ type: 'openMedium', spec: { target: 'null:1M', readOnly: true } })
  expect(spec(undefined)).toEqual({ type: 'openMedium', spec: { target: 'null:1M', readOnly: true } })
})

test('S12: a second connect is ignored, and OVMF may skip Initialised', () => {
  const ovmf = given(...ways['InitWait.waiting'], says('Connected'), ...outcomes)
  expect(ovmf.state).toBe(CONNECTED)
  expect(switches(ovmf.all)).toEqual(['→ InitWait', '→ Connected'])
  const again = ovmf.when(says('Connected'), says('Initialised'), outcomes[0], says('Connected'))
  expect(again.state).toBe(CONNECTED)
  expect(names(again.all.slice(ovmf.all.length))).toEqual(['readFrontend'])
})

test('S12, S29: a second connect with another ring is a guest that resumed without a word: served on that, on the same medium', () => {
  const nodes = { 'ring-ref': '80', 'event-channel': '90', protocol: 'x86_64-abi' }
  const looked = givenState(CONNECTED).when(says('Initialised'), { type: 'xenstore.frontendRead', nodes })
  expect([looked.state, ...names(looked.effects)]).toEqual(['Closing.abandoning', 'abandonQueue'])
  const over = settle(looked)
  expect([over.state, held(over.all)]).toEqual(['Initialising.publishing', ['openMedium']])
  const again = over.when({ type: 'xenstore.featuresPublished' }, { type: 'xenstore.frontendRead', nodes }, ...outcomes.slice(1))
  expect(again.state).toBe(CONNECTED)
  expect(switches(again.all)).toEqual(['→ InitWait', '→ Connected', '→ InitWait', '→ Connected'])
  expect(again.all.findLast(({ type }) => type === 'mapRing')).toMatchObject({ request: { grefs: [80] } })
  expect(again.all.filter(({ type }) => type === 'openMedium')).toHaveLength(1)
  // Nonsense is no ring: the one that is served stays.
  const nonsense = givenState(CONNECTED).when(says('Initialised'), { type: 'xenstore.frontendRead', nodes: { 'ring-ref': 'x' } })
  expect(nonsense.state).toBe(CONNECTED)
})

test('a queue that dies while its device closes and the process parks: Parked, or the stop would wait for ever', () => {
  const closing = givenState(CONNECTED).when(says('Closing'), says('Closed'), { type: 'operator.parked' })
  expect(closing.state).toBe('Closing.draining')
  expect(settle(closing.when({ type: 'queue.crashed', sentence: 'its Worker died' })).state).toBe('Parked')
})

test('S26: a Worker that dies while its device closes: another queue answers what is owed, and then it is closed', () => {
  const goneOn = [legacyRead(), { type: 'queue.attached' }] as const
  const first = givenState(CONNECTED).when(says('Closing'), queueDied(1))
  expect([first.state, ...names(first.effects)]).toEqual(['Recovering.rejudging', 'stopTimer', 'readJournal'])
  const serving = first.when(...goneOn)
  expect(serving.state).toBe('Closing.serving')
  const second = serving.when(says('Closed'), queueDied(2))
  expect([second.state, ...names(second.effects)]).toEqual(['Recovering.rejudging', 'readJournal'])
  const draining = second.when(...goneOn)
  expect([draining.state, ...names(draining.effects)]).toEqual(['Closing.draining', 'drainQueue'])
  expect(settle(draining).state).toBe('Closed.waiting')
  // No oftener than the operator allows.
  expect(settle(draining.when(queueDied(3))).state).toBe('Failed')
})

test('a Worker that dies while a queue is being gone on with costs one more try, and no device', () => {
  const again = givenState('Recovering.attachingQueue').when(queueDied(1))
  expect([again.state, ...names(again.effects)]).toEqual(['Recovering.rejudging', 'readJournal'])
  expect(again.when(legacyRead(), { type: 'queue.attached' }).state).toBe(CONNECTED)
})

test('a Worker that dies while its device connects costs no device: another queue takes the ring', () => {
  const crashed = { type: 'queue.crashed', sentence: 'its Worker died', atMs: 1 } as const
  const died = givenState('Connecting.publishing').when(crashed)
  expect([died.state, ...names(died.effects)]).toEqual(['Connecting.attachingQueue', 'attachQueue'])
  expect(died.when(...outcomes.slice(-2)).state).toBe(CONNECTED)
  const often = died.when({ type: 'queue.attached' }, crashed, { type: 'queue.attached' }, crashed)
  expect(settle(often).state).toBe('Failed')
  const parked = givenState('Connecting.publishing').when({ type: 'operator.parked' }, crashed)
  expect([switches(parked.effects), settle(parked).state]).toEqual([[], 'Parked'])
})

test('S7: a front end that asks for too much is told so, and may come again', () => {
  const asking: DeviceEvent = { type: 'xenstore.frontendRead', nodes: { 'ring-ref': '8', 'event-channel': '9', 'ring-page-order': '9' } }
  const refused = settle(given(...ways['Connecting.negotiating'], asking))
  expect(refused.state).toBe('Closed.waiting')
  expect(refused.context.error).toMatch(/ring-page-order.*9/)
  expect(refused.all.filter(({ type }) => type === 'reportError')).toHaveLength(1)
  expect(switches(refused.all)).toEqual(['→ InitWait', '→ Closing', '→ Closed'])
  expect(refused.when(says('Closed'), says('Initialising')).state).toBe('Initialising.reading')
})

test('B33: a ring of several pages needs no ring-ref', () => {
  const nodes = { 'ring-page-order': '1', 'ring-ref0': '8', 'ring-ref1': '9', 'event-channel': '3' }
  const { effects, state } = given(...ways['Connecting.negotiating'], { type: 'xenstore.frontendRead', nodes }, outcomes[1])
  expect(state).toBe('Connecting.mappingRing')
  expect(effects).toEqual([{ type: 'mapRing', request: { domid: 5, grefs: [8, 9], abi: 'x86_64' } }])
})

describe.each(steps.map((step, index) => [step.state, step, index] as const))('S10, B28, B29: %s', (state, step, index) => {
  const before = () => given(...ways['Connecting.negotiating'], ...outcomes.slice(0, index))
  const refusal = (step.refused === null
    ? { type: 'xenstore.frontendRead', nodes: {} }
    : { type: step.refused, sentence: 'no' }) as DeviceEvent

  test('its failure undoes what was done before it, in reverse, and nothing else', () => {
    expect(before().state).toBe(`Connecting.${state}`)
    const ended = settle(before().when(refusal))
    expect(ended.state).toBe('Closed.waiting')
    expect(held(ended.all.filter(({ type }) => type !== step.effect || step.undo === null))).toEqual([])
    const undoNames = steps.slice(0, index).flatMap(({ undo }) => (undo === null ? [] : [undo.effect])).reverse()
    const all = names(ended.all)
    expect(all.filter((name) => undoNames.includes(name as never))).toEqual(undoNames)
    expect(switches(ended.all).at(-1)).toBe('→ Closed')
  })

  test.each([
    ['S27: detached', { type: 'operator.detached' }, 'Closed.offline'],
    ['S27: closed by the toolstack', { type: 'xenstore.closeRequested', online: false }, 'Closed.offline'],
    ['the front end closes', says('Closed'), 'Closed.waiting'],
    ['the front end vanishes', says('Unknown'), 'Closed.waiting'],
    ['the front end starts over', says('Initialising'), index === 0 ? 'Initialising.reading' : 'Initialising.publishing'],
    ['parked', { type: 'operator.parked' }, 'Parked'],
    ['the directory vanishes', { type: 'xenstore.directoryVanished' }, 'Removed'],
  ] as const)('%s meanwhile: the step is awaited, then all of it is undone', (_title, event, end) => {
    const waiting = before().when(event)
    expect(waiting.state).toBe(`Connecting.${state}`)
    const ended = settle(waiting.when(outcomes[index]))
    expect(ended.state).toBe(end)
    // Who only starts over finds the medium open, if a step beyond negotiating was done.
    expect(held(ended.all)).toEqual(end === 'Initialising.publishing' ? ['openMedium'] : [])
    const refusedInstead = settle(before().when(event, refusal))
    expect(refusedInstead.state).toBe(end === 'Initialising.publishing' ? 'Initialising.reading' : end)
  })
})

test('S24: a medium that is gone while Connected moves the device to Closing', () => {
  const gone = givenState(CONNECTED).when({ type: 'medium.gone', sentence: 'ENXIO' })
  expect(gone.state).toBe('Closing.serving')
  expect(names(gone.effects)).toEqual(['reportError', '→ Closing', 'startTimer'])
  expect(settle(gone.when(says('Closed'))).state).toBe('Closed.waiting')
})

test('S26: Closed is said when the queue is drained and everything is unmapped, never before', () => {
  let device = givenState(CONNECTED).when(says('Closing'), says('Closed'))
  for (const event of undone) {
    expect(switches(device.effects)).toEqual([])
    device = device.when(event)
  }
  expect(switches(device.effects)).toEqual(['→ Closed'])
  expect(held(device.all)).toEqual([])
})

test('S26, B25, XSA-350: nothing is unmapped before the queue has let go', () => {
  const draining = givenState('Closing.draining')
  expect(draining.when({ type: 'host.ringUnmapped' }, { type: 'queue.detached' }).state).toBe('Closing.draining')
  expect(draining.all.map(({ type }) => type)).not.toContain('unmapRing')
})

test('B23, S28: boot loaders hand over six times on one device', () => {
  let device = givenState('InitWait.waiting')
  for (let hop = 0; hop < 6; hop++) {
    device = device.when(says('Initialised'), ...outcomes, says('Connected'), says('Closing'))
    expect(switches(device.all).at(-1)).toBe('→ Closing')
    device = settle(device.when(says('Closed')))
    expect(switches(device.effects)).toEqual(['→ Closed'])
    expect(held(device.all)).toEqual([])
    device = device.when(says('Initialising'), nodesRead({ state: '6' }), opened, { type: 'xenstore.featuresPublished' })
    expect(device.state).toBe('InitWait.waiting')
    expect(switches(device.effects)).toEqual(['→ InitWait'])
  }
  expect(device.context.connections).toBe(6)
})

test('B24: Closing is answered with Closing at once, with a connection and without', () => {
  expect(names(givenState(CONNECTED).when(says('Closing')).effects)).toEqual(['→ Closing'])
  expect(names(givenState('InitWait.waiting').when(says('Closing')).effects)).toEqual(['→ Closing'])
})

test('S28, S29: a front end that starts over without closing (resumed in place) gets InitWait, not Closed', () => {
  const over = settle(givenState(CONNECTED).when(says('Initialising')))
  expect(over.state).toBe('Initialising.publishing')
  expect(names(over.all)).toContain('abandonQueue')
  expect(names(over.all)).not.toContain('closeMedium')
  const again = over.when({ type: 'xenstore.featuresPublished' })
  expect(again.state).toBe('InitWait.waiting')
  expect(switches(again.all)).toEqual(['→ InitWait', '→ Connected', '→ InitWait'])
})

test('S28, S29: it starts over and publishes a new ring while its old one is let go: no old keys, no resumption', () => {
  const over = settle(givenState(CONNECTED).when(says('Initialising'), says('Initialised'), undone[0]))
  const again = over.when({ type: 'xenstore.featuresPublished' })
  expect(again.state).toBe('Connecting.negotiating')
  expect(again.context.resuming).toBe(false)
})

test('libxl detaches a device that never connected: Closed is answered', () => {
  const detached = settle(givenState('InitWait.waiting').when({ type: 'xenstore.closeRequested', online: false }))
  expect(detached.state).toBe('Closed.offline')
  expect(switches(detached.effects)).toEqual(['→ Closed'])
  const asked = givenState('Closed.waiting').when({ type: 'xenstore.closeRequested', online: false })
  expect(switches(asked.effects)).toEqual(['→ Closed'])
})

test('a toolstack that asks is served to the end, but not for ever', () => {
  const asked = givenState(CONNECTED).when({ type: 'xenstore.closeRequested', online: false })
  expect([asked.state, ...names(asked.effects)]).toEqual(['Closing.serving', '→ Closing', 'startTimer'])
  const ended = settle(asked.when({ type: 'clock.elapsed', timer: 'closePatience' }))
  expect(ended.state).toBe('Closed.offline')
  expect(names(ended.all)).toContain('drainQueue')
})

test('S4: an attach failure says why in four places, goes offline, and stays visible as Failed', () => {
  const refused = given(nodesRead(), { type: 'medium.refused', sentence: 'it is a directory' })
  expect(refused.effects.filter(({ type }) => type === 'reportAttachFailure')).toEqual([{ type: 'reportAttachFailure', sentence: 'it is a directory' }])
  const failed = settle(refused)
  expect([failed.state, failed.context.online, failed.context.error]).toEqual(['Failed', false, 'it is a directory'])
  expect(failed.when({ type: 'xenstore.directoryVanished' }).state).toBe('Removed')
  const bad = given(nodesRead({ params: undefined }))
  expect(names(bad.effects)).toContain('reportAttachFailure')
  expect(settle(bad).state).toBe('Failed')
})

test('a queue that dies is gone on with from its journal: nothing is let go, nothing is said', () => {
  const rejoined = givenState(CONNECTED).when(queueDied(), legacyRead())
  expect(names(rejoined.effects)).toEqual(['attachQueue'])
  expect(rejoined.effects[0]).toMatchObject({ takeover: 'journal' })
  const connected = rejoined.when({ type: 'queue.attached' })
  expect([connected.state, connected.context.connections]).toEqual([CONNECTED, 1])
  expect(switches(connected.all)).toEqual(switches(givenState(CONNECTED).all))
  expect(connected.context.notes.join()).toMatch(/its queue died \(its Worker died\) and was gone on with/)
})

test('what happens while a queue is gone on with is not forgotten', () => {
  const rejoining = givenState('Recovering.reattaching')
  const attached: DeviceEvent = { type: 'queue.attached' }
  expect(rejoining.when(says('Closing'), attached).state).toBe('Closing.serving')
  expect(rejoining.when(says('Closed'), attached).state).toBe('Closing.draining')
  expect(rejoining.when(says('Unknown'), attached).state).toBe('Closing.abandoning')
  expect(rejoining.when({ type: 'operator.closed' }, attached).state).toBe('Closing.serving')
  expect(rejoining.when({ type: 'operator.parked' }, attached).state).toBe('Parking.draining')
  expect(givenState('Recovering.rejudging').when({ type: 'operator.parked' }, legacyRead()).state).toBe('Parking.unbindingChannel')
  expect(rejoining.when({ type: 'queue.refused', sentence: 'no room' }).context.error).toMatch(/its Worker died; no room/)
})

test('a queue that dies again and again: clean close for the front end, everything given back, Failed', () => {
  const again = [queueDied(), legacyRead(), { type: 'queue.attached' }] as const
  expect(givenState(CONNECTED).when(...again, ...again, queueDied(60_001)).state).toBe('Recovering.rejudging')
  const crashed = givenState(CONNECTED).when(...again, ...again, { type: 'queue.crashed', sentence: 'planted' })
  expect(names(crashed.effects)).toEqual(['reportError', '→ Closing', 'unbindChannel'])
  const failed = settle(crashed)
  expect(failed.state).toBe('Failed')
  expect(names(failed.all)).not.toContain('detachQueue')
  expect(new Set(held(failed.all))).toEqual(new Set(['attachQueue']))
  expect(switches(failed.all).slice(-2)).toEqual(['→ Closing', '→ Closed'])
})

test('a broken ring is abandoned and the device closes', () => {
  const broken = givenState(CONNECTED).when({ type: 'queue.ringBroke' })
  expect([broken.state, ...names(broken.effects)]).toEqual(['Closing.abandoning', 'reportError', '→ Closing', 'abandonQueue'])
  const closed = settle(broken)
  expect(closed.state).toBe('Closed.waiting')
  expect(closed.when(says('Closing'), says('Closed'), says('Initialising')).state).toBe('Initialising.reading')
})

describe('a medium that is full while requests are to wait for space (S15)', () => {
  const full = () => givenState('Connected.intake.Full Connected.medium.Present')

  test('it is a state of its own, and a reload tries at once', () => {
    expect(names(full().when({ type: 'operator.reloaded' }).effects)).toEqual(['retryQueue'])
    expect(givenState(CONNECTED).when({ type: 'operator.reloaded' }).effects).toEqual([])
    expect(full().when({ type: 'queue.ranShort' }).state).toBe('Connected.intake.Shortage Connected.medium.Present')
    expect(full().when({ type: 'queue.recovered' }).state).toBe(CONNECTED)
  })

  test('parking waits for space, closing does not once the front end is done or patience has ended', () => {
    const drain = (device: Given) => device.all.filter(({ type }) => type === 'drainQueue')
    const wait = [{ type: 'drainQueue', queue: 'vbd/5/51712/q0', onEnospc: 'wait' }]
    const error = [{ type: 'drainQueue', queue: 'vbd/5/51712/q0', onEnospc: 'error' }]
    const parking = full().when({ type: 'operator.parked' })
    expect(drain(parking)).toEqual(wait)
    expect(names(parking.when({ type: 'operator.reloaded' }).effects)).toEqual(['retryQueue'])
    const closing = full().when({ type: 'operator.detached' })
    expect([closing.state, ...drain(closing)]).toEqual(['Closing.serving'])
    expect(names(closing.when({ type: 'operator.reloaded' }).effects)).toEqual(['retryQueue'])
    expect(drain(closing.when({ type: 'clock.elapsed', timer: 'closePatience' }))).toEqual(error)
    expect(drain(full().when(says('Closed')))).toEqual(error)
  })

  test.each([
    ['the front end vanishes', says('Unknown')], ['its domain dies', { type: 'xenstore.domainGone' }],
    ['the ring breaks', { type: 'queue.ringBroke' }],
    ['the medium is gone', { type: 'medium.gone', sentence: 'ENXIO' }],
  ] as readonly [string, DeviceEvent][])('%s meanwhile: let go of as ever', (_what, event) => {
    const asked = full().when(event)
    const elapsed: DeviceEvent = { type: 'clock.elapsed', timer: 'closePatience' }
    const ended = settle(asked.state === 'Closing.serving' ? asked.when(elapsed) : asked)
    expect(ended.state).toMatch(/^(Closed|Failed)/)
    expect(held(ended.all).filter((what) => what !== 'attachQueue')).toEqual([])
  })
})

test('S26: parking drains and lets go without a word to XenStore', () => {
  const parked = settle(givenState(CONNECTED).when({ type: 'operator.parked' }))
  expect(parked.state).toBe('Parked')
  expect(held(parked.all)).toEqual([])
  expect(switches(parked.all)).toEqual(['→ InitWait', '→ Connected'])
})

describe('S31: another process takes over', () => {
  const yields: DeviceEvent = { type: 'operator.yielded' }

  test('the queue yields, everything is let go, and XenStore is left alone', () => {
    const yielding = givenState(CONNECTED).when(yields)
    expect([yielding.state, ...names(yielding.effects)]).toEqual(['Parking.yielding', 'yieldQueue'])
    const parked = settle(yielding)
    expect(parked.state).toBe('Parked')
    expect(held(parked.all)).toEqual(['attachQueue']) // it gave back everything by itself
    expect(switches(parked.all)).toEqual(['→ InitWait', '→ Connected'])
    expect(names(parked.all)).not.toContain('drainQueue')
  })

  test('a queue that comes to rest by itself meanwhile is detached, one that throws is not', () => {
    const yielding = givenState('Parking.yielding')
    expect(yielding.when({ type: 'queue.drained', abandoned: 0 }).state).toBe('Parking.detachingQueue')
    expect(yielding.when(queueDied()).state).toBe('Parking.unbindingChannel')
  })

  test.each(Object.keys(ways).filter((name) => !/^(Parked|Removed|Parking)/.test(name)))(
    '%s: it comes to rest, without a word that a front end could take for an end', (name) => {
      const before = givenState(name)
      const over = settle(carriedOn(before.when(yields)))
      expect(over.state).toMatch(/^(Parked|Parking)/)
      const said = switches(over.all).slice(switches(before.all).length)
      expect(said.filter((word) => word !== '→ Closed')).toEqual([])
      if (!name.startsWith('Closing')) expect(said).toEqual([])
    })
})

describe('what a new process finds', () => {
  const start = (state: string, frontend: Parameters<typeof says>[0], online = '1') => given(nodesRead({ state, online }, frontend))

  test.each(['Initialised', 'Connected'] as const)('Connected, with the front end %s: taken over without touching state', (frontend) => {
    const resumed = start('4', frontend).when(legacyRead(), opened, ...outcomes.slice(0, 5))
    expect(resumed.state).toBe(CONNECTED)
    expect(switches(resumed.all)).toEqual([])
    expect(names(resumed.all)).not.toContain('publishFeatures')
    expect(names(resumed.all)).not.toContain('publishProperties')
    expect(settle(resumed.when(says('Closing'), says('Closed'))).state).toBe('Closed.waiting')
  })

  test('a closing that was interrupted goes on, its requests served', () => {
    expect(start('4', 'Closing').when(legacyRead(), opened, ...outcomes.slice(0, 5)).state).toBe('Closing.serving')
    expect(start('5', 'Connected', '0').when(legacyRead(), opened, ...outcomes.slice(0, 5)).state).toBe('Closing.serving')
  })

  test.each([['6', '1', 'Closed.waiting'], ['1', '0', 'Closed.offline']])(
    'state %s, online %s, the front end Closed: Closed is said', (state, online, end) => {
      const found = settle(start(state, 'Closed', online))
      expect(found.state).toBe(end)
      expect(switches(found.effects)).toEqual(['→ Closed'])
      expect(names(found.all)).not.toContain('openMedium')
    })

  test.each(['1', '2', '4', '5', '6'])('state %s, the front end Initialising: InitWait', (state) => {
    const fresh = start(state, 'Initialising').when(opened, { type: 'xenstore.featuresPublished' })
    expect([fresh.state, ...switches(fresh.all)]).toEqual(['InitWait.waiting', '→ InitWait'])
  })

  // Linux says Closed at once, and holds its disk, and its ear for XenStore, until the last request was answered.
  describe('the front end closed while nobody served it, and waits for answers', () => {
    const found: [string, string, string][] = [['4', '1', 'Closed.waiting'], ['5', '0', 'Closed.offline'], ['5', '1', 'Closed.waiting']]
    test.each(found)('state %s, online %s: what is in the ring is answered, then Closed is said', (state, online, end) => {
      const taken = start(state, 'Closed', online).when(legacyRead(), opened, ...outcomes.slice(0, 5))
      expect([taken.state, ...switches(taken.all)]).toEqual(['Closing.draining'])
      const closed = settle(taken)
      expect([closed.state, ...switches(closed.all)]).toEqual([end, '→ Closed'])
      expect(held(closed.all)).toEqual([])
    })

    test('so does one that closes while it is taken over', () => {
      const meanwhile = start('4', 'Connected').when(legacyRead(), says('Closed'), opened, ...outcomes.slice(0, 5))
      expect(meanwhile.state).toBe('Closing.draining')
    })

    const quiet: [string, DeviceEvent[]][] = [
      ['there is nothing to answer from', [legacyRead({ kind: 'refused', sentence: 'its checksum is wrong' })]],
      ['the medium is gone', [legacyRead(), { type: 'medium.refused', sentence: 'it is not there' }]],
      ['it has taken its ring back', [legacyRead(), opened, ...outcomes.slice(0, 2), { type: 'host.ringRefused', sentence: 'EINVAL' }]],
    ]
    test.each(quiet)('%s: Closed is all there is to say', (_why, events) => {
      const closed = settle(start('5', 'Closed', '0').when(...events))
      expect([closed.state, ...switches(closed.all), closed.context.error]).toEqual(['Closed.offline', '→ Closed', null])
      expect(held(closed.all).filter((what) => what !== 'mapRing')).toEqual([])
    })

    test('one that starts over waits for nothing', () => {
      const over = settle(start('4', 'Closed').when(legacyRead(), says('Initialising')))
      expect(over.state).toBe('Initialising.reading')
      expect(names(over.all)).not.toContain('mapRing')
    })
  })

  test('the queue is told what it goes on from: a journal, a ring at rest, or nothing that is known', () => {
    const takeover = (legacy?: QueueLegacy) => {
      const { effects } = start('4', 'Connected').when(legacyRead(legacy), opened, ...outcomes.slice(0, 4))
      return effects.map((effect) => effect.type === 'attachQueue' && effect.takeover)
    }
    expect(takeover()).toEqual(['journal'])
    expect(takeover({ kind: 'rested' })).toEqual(['rested'])
    expect(takeover({ kind: 'unknown', sentence: 'off' })).toEqual(['unknown'])
  })

  test('a recovery waits for the lock as long as it takes; a new device does not', () => {
    expect(start('4', 'Connected').when(legacyRead()).effects).toMatchObject([{ type: 'openMedium', patient: true }])
    expect(start('1', 'Initialising').effects).not.toContainEqual(expect.objectContaining({ patient: true }))
  })

  test('a journal that must not be gone on from: a sentence, and the front end is asked to come again', () => {
    const refused = start('4', 'Connected').when(legacyRead({ kind: 'refused', sentence: 'its checksum is wrong' }))
    expect(names(refused.effects)).toEqual(['reportError', '→ Closing', 'closeMedium'])
    const closed = settle(refused)
    expect([closed.state, closed.context.error]).toEqual(['Closed.waiting', 'its checksum is wrong'])
    expect(closed.when(says('Closed'), says('Initialising')).state).toBe('Initialising.reading')
  })

  test('a journal that killed all who went on from it: Failed', () => {
    const hopeless = settle(start('4', 'Connected').when(legacyRead({ kind: 'hopeless', sentence: 'they died of it' })))
    expect([hopeless.state, hopeless.context.error]).toEqual(['Failed', 'they died of it'])
  })

  test.each([
    ['ring', { grefs: [9], evtchn: 9, abi: 'x86_64' }],
    ['channel', { grefs: [8], evtchn: 10, abi: 'x86_64' }],
    ['ABI', { grefs: [8], evtchn: 9, abi: 'x86_32' }],
  ] as const)('the front end names another %s than the journal, it resumed meanwhile: nothing is mapped, a new handshake begins', (_, connection) => {
    const other = start('4', 'Connected').when(legacyRead({ kind: 'recoverable', connection }), opened, outcomes[0])
    expect(names(other.effects)).toEqual(['closeMedium'])
    const again = settle(other)
    expect([again.state, switches(again.effects)]).toEqual(['Initialising.reading', []])
    expect(again.when(nodesRead({ state: '4' }, 'Connected'), opened, { type: 'xenstore.featuresPublished' }).state)
      .toBe('Connecting.negotiating')
  })

  test('the medium has another size than was published: the guest is told once it is served', () => {
    const served = (sectors: string) =>
      given(nodesRead({ state: '4', sectors }, 'Connected')).when(legacyRead(), opened, ...outcomes.slice(0, 5))
    expect(served('2048').state).toBe(CONNECTED)
    expect(served('1024').state).toBe('Connected.intake.Running Connected.medium.Resizing')
    expect(names(served('1024').effects)).toEqual(['renewQueueMedium', 'announceSize'])
  })

  test('a device half closed by `stop --close` is not served by the daemon that stops', () => {
    const closed = settle(givenState(CONNECTED).when({ type: 'operator.closed' }, says('Closing'), says('Closed')))
    expect(closed.state).toBe('Closed.waiting')
    expect(closed.when(says('Initialising')).state).toBe('Closed.waiting')
  })
})

test('resize: the new size and the state again, and the queue learns it first', () => {
  const resizing = givenState(CONNECTED).when({ type: 'medium.resized', sectorCount: 4096 })
  expect(names(resizing.effects)).toEqual(['renewQueueMedium', 'announceSize'])
  expect(resizing.effects[1]).toEqual({ type: 'announceSize', nodes: { sectors: '4096' } })
  expect(resizing.when({ type: 'xenstore.sizeAnnounced' }).state).toBe(CONNECTED)
})

describe('S3, S5: a CD-ROM drive', () => {
  const IN = 'Connected.intake.Running Connected.medium.Present'
  const wants = (params: string): DeviceEvent => ({ type: 'xenstore.targetChanged', params })
  const announced: DeviceEvent = { type: 'xenstore.sizeAnnounced' }
  const spec = (device: Given) => device.effects.find(({ type }) => type === 'openMedium')

  test.each([['', ''], [undefined, ''], ['aio:', ''], ['aio:/iso/a', '/iso/a'], ['phy:/dev/sr0', '/dev/sr0'], ['/iso/a', '/iso/a']])(
    'params %j opens %j, read-only whatever mode says', (params, target) => {
      expect(spec(given(nodesRead({ 'device-type': 'cdrom', mode: 'w', params })))).toMatchObject({ spec: { target, readOnly: true } })
    })

  test('other formats than raw are refused, and a disk without params', () => {
    expect(given(nodesRead({ params: 'qcow2:/a' })).context.error).toMatch(/only raw images are served/)
    expect(given(nodesRead({ params: 'aio:' })).context.error).toMatch(/params is missing/)
  })

  test('the old disc is let go of by queue and process before the new one is opened; the guest is told once', () => {
    let device = given(...withDrive(), wants('aio:/iso/two'))
    expect(names(device.effects)).toEqual(['renewQueueMedium'])
    expect(device.effects[0]).toMatchObject({ renewal: 1, plan: { geometry: { sectorCount: 0 } } })
    expect(device.when(renewed(0)).state).toBe(device.state)
    device = device.when(renewed(1))
    expect(names(device.effects)).toEqual(['closeMedium'])
    device = device.when({ type: 'medium.closed' })
    expect(spec(device)).toMatchObject({ spec: { target: '/iso/two' } })
    device = device.when({ type: 'medium.opened', plan, notes: [] })
    expect(names(device.effects)).toEqual(['renewQueueMedium', 'announceSize'])
    expect(device.effects[1]).toMatchObject({ nodes: { sectors: '2048', 'sector-size': '512' } })
    expect(device.when(announced, renewed(2)).state).toBe(IN)
  })

  test('ejected: sectors are 0, and nothing is opened; inserted again as libxl does, by way of an empty drive', () => {
    const ejected = given(...withDrive(), wants(''), renewed(1), { type: 'medium.closed' })
    expect(names(ejected.effects)).toEqual(['announceSize'])
    expect(ejected.effects[0]).toMatchObject({ nodes: { sectors: '0' } })
    const empty = ejected.when(announced)
    expect(empty.state).toBe(IN)
    expect(empty.when(wants('/iso/three'), renewed(2), { type: 'medium.closed' }).state).toBe('Connected.intake.Running Connected.medium.Changing.opening')
  })

  test('changed again while it is being changed, or while connecting: the last one counts', () => {
    const twice = given(...ways['Connected.intake.Running Connected.medium.Changing.opening'], wants('/iso/three'))
    const after = twice.when({ type: 'medium.opened', plan, notes: [] }, announced)
    expect(after.state).toBe('Connected.intake.Running Connected.medium.Changing.ejecting')
    const early = given(...withDrive().slice(0, -2), wants('/iso/two'), outcomes[5])
    expect(early.state).toBe('Connected.intake.Running Connected.medium.Changing.ejecting')
  })

  test('a disc that cannot be opened, or goes away, leaves the drive empty, says so, and closes nothing', () => {
    const refused = given(
      ...ways['Connected.intake.Running Connected.medium.Changing.opening'], { type: 'medium.refused', sentence: 'no such file' }, announced,
    )
    expect([refused.state, refused.context.medium?.geometry.sectorCount]).toEqual([IN, 0])
    expect(refused.context.notes).toContain('the drive is empty: no such file')
    const lost = given(...withDrive(), { type: 'medium.gone', sentence: 'ENXIO' })
    expect(lost.state).toBe('Connected.intake.Running Connected.medium.Changing.ejecting')
    expect(names(lost.effects)).not.toContain('→ Closing')
  })

  test('a disk ignores it and notes it', () => {
    const disk = givenState(CONNECTED).when(wants('/other'))
    expect([disk.state, disk.effects, disk.context.nodes?.target]).toEqual([CONNECTED, [], 'null:1M'])
    expect(disk.context.notes.at(-1)).toMatch(/ignored/)
  })

  test('before anyone connected: begun anew with the new disc, InitWait said again', () => {
    const changed = settle(given(...withDrive().slice(0, 3), wants('/iso/two')))
    expect(changed.state).toBe('Initialising.reading')
  })
})

test('what is not expected is noted, and changes nothing', () => {
  const odd = givenState(CONNECTED).when({ type: 'host.ringMapped', plan: { world: 'xen', domid: 5, abi: 'x86_64', pages: 1, ringHandle: 9 } })
  expect(odd.state).toBe(CONNECTED)
  expect(odd.context.notes).toContain('host.ringMapped')
})

test('a replay of the inputs gives the same states and effects, through JSON', () => {
  const events = [...ways[CONNECTED], says('Closing'), says('Closed'), ...undone]
  const stored = JSON.parse(JSON.stringify(events)) as DeviceEvent[]
  const live = given(...events)
  const history = replayActor(deviceMachine, input, stored)
  expect(history.at(-1)?.state).toBe(live.state)
  expect(history.flatMap(({ effects }) => effects)).toEqual(live.all)
  expect(JSON.parse(JSON.stringify(live.context))).toEqual(live.context)
})
