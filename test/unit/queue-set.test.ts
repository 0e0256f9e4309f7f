/**
 * Several queues as one, before a pool that insists on the order of commands: what is said of the whole, and when.
 */
import { QueueSet } from '../../src/actors/queue-set.js'
import { legaciesOf } from '../../src/actors/device-legacies.js'
import type { QueueAttachment, QueueEvent, QueueLegacy } from '../../src/ports/queues.js'
import { LEVEL_MEDIUM_FULL, LEVEL_SHORTAGE, LEVEL_THROTTLED } from '../../src/ports/queues.js'
import { FakeQueuePool } from '../../src/sim/fake-queue-pool.js'
import { plan } from '../support/device-chart.js'

const NAMES = ['d/q0', 'd/q1', 'd/q2']

function bench() {
  const pool = new FakeQueuePool()
  const said: string[] = []
  const full: QueueEvent[] = []
  const set = new QueueSet(pool, (event) => {
    full.push(event)
    said.push(event.kind)
  })
  pool.event$.subscribe((event) => set.heard(event))
  const attach = () => set.attach(NAMES.map((name) => ({ settings: { name } }) as unknown as QueueAttachment))
  return { pool, set, said, full, attach, left: () => set.living }
}

test('attached, drained and detached are said once, when the last has said it, under the name of the first', () => {
  const { pool, set, said, full, attach, left } = bench()
  pool.drainsAtOnce = false
  attach()
  set.drain('wait')
  for (const name of NAMES) pool.finish(name)
  set.detach()
  expect(said).toEqual(['attached', 'drained', 'detached'])
  expect(full.map(({ name }) => name)).toEqual(['d/q0', 'd/q0', 'd/q0'])
  expect(left()).toEqual([])
})

test('a ring that is broken at once is at rest before the others have begun: attached is said all the same', () => {
  const { pool, set, said, left } = bench()
  pool.answersLater = true
  set.attach(NAMES.map((name) => ({ settings: { name } }) as unknown as QueueAttachment))
  set.heard({ kind: 'attached', name: 'd/q0' })
  pool.finish('d/q0')
  set.heard({ kind: 'drained', name: 'd/q0', abandoned: 0 })
  for (const name of NAMES.slice(1)) set.heard({ kind: 'attached', name })
  expect(said).toEqual(['attached'])
  pool.answersLater = false
  set.abandon()
  expect(said).toEqual(['attached', 'drained'])
  expect(left()).toEqual(NAMES)
})

test('one is at its limit before the last has begun: that is said when all have, or nobody would hear of it again', () => {
  const { pool, set, full } = bench()
  pool.answersLater = true
  set.attach(NAMES.map((name) => ({ settings: { name } }) as unknown as QueueAttachment))
  set.heard({ kind: 'attached', name: 'd/q0' })
  set.heard({ kind: 'levels', name: 'd/q0', levels: LEVEL_THROTTLED })
  set.heard({ kind: 'attached', name: 'd/q1' })
  expect(full).toEqual([])
  set.heard({ kind: 'attached', name: 'd/q2' })
  expect(full).toEqual([
    { kind: 'attached', name: 'd/q0' }, { kind: 'levels', name: 'd/q0', levels: LEVEL_THROTTLED },
  ])
})

test('one is refused: the others are let go of again before it is said', () => {
  const { pool, said, attach, left } = bench()
  pool.refuse('no room')
  attach()
  expect(said).toEqual(['refused'])
  expect(left()).toEqual([])
  expect(pool.log.filter((line) => line.startsWith('detach'))).toEqual(['detach d/q1', 'detach d/q2'])
})

test('one dies: the others come to rest patiently and are let go of, then the death is told with its reason', () => {
  const { pool, said, full, attach, left } = bench()
  attach()
  pool.drainsAtOnce = false
  pool.crash('d/q1', 'it threw')
  expect(said).toEqual(['attached'])
  pool.finish('d/q2')
  pool.finish('d/q0')
  expect(said).toEqual(['attached', 'crashed'])
  expect(full.at(-1)).toEqual({ kind: 'crashed', name: 'd/q0', sentence: 'it threw' })
  expect([left(), pool.log.filter((line) => line.startsWith('drain'))]).toEqual([[], ['drain patiently d/q0', 'drain patiently d/q2']])
})

test('one dies while all come to rest: nobody is told that they have', () => {
  const { pool, set, said, attach, left } = bench()
  attach()
  pool.drainsAtOnce = false
  set.drain('error')
  pool.finish('d/q0')
  pool.crash('d/q1', 'it threw')
  pool.finish('d/q2')
  expect([said, left()]).toEqual([['attached', 'crashed'], []])
})

test('a ring that broke rests before it is asked to; the others are asked, and only then it is said', () => {
  const { pool, set, said, attach } = bench()
  attach()
  pool.finish('d/q1')
  expect(said).toEqual(['attached'])
  set.abandon()
  expect(said).toEqual(['attached', 'drained'])
  expect(pool.log.filter((line) => line.startsWith('abandon'))).toEqual(['abandon d/q0', 'abandon d/q2'])
})

test('another process takes over: who yields and who rests by itself are all gone when it is said', () => {
  const { pool, set, said, attach, left } = bench()
  attach()
  pool.finish('d/q1')
  set.yield()
  expect([said, left()]).toEqual([['attached', 'yielded'], []])
  expect(pool.log.slice(3)).toEqual(['yield d/q0', 'detach d/q1', 'yield d/q2'])
})

test.each(['attached', 'draining', 'drained', 'detaching', 'detached'] as const)(
  'its device breaks when all are %s: none is told anything twice, and it is known when none holds anything',
  async (phase) => {
    const { pool, set, attach, left } = bench()
    attach()
    pool.drainsAtOnce = phase !== 'draining'
    if (phase !== 'attached') set.drain('wait')
    pool.answersLater = true
    if (phase === 'detaching' || phase === 'detached') set.detach()
    if (phase === 'detached') await new Promise((resolve) => setImmediate(resolve))
    const released = set.release()
    if (phase === 'draining') for (const name of NAMES) pool.finish(name)
    await released
    expect(left()).toEqual([])
    for (const command of ['drain', 'detach'])
      expect(pool.log.filter((line) => line.startsWith(command))).toHaveLength(NAMES.length)
  })

test('levels are what any of them has; a medium is renewed when all have it', () => {
  const { pool, set, full, said, attach } = bench()
  attach()
  pool.levels('d/q0', LEVEL_SHORTAGE)
  pool.levels('d/q2', LEVEL_MEDIUM_FULL)
  pool.levels('d/q0', 0)
  const levels = full.flatMap((event) => (event.kind === 'levels' ? [event.levels] : []))
  expect(levels).toEqual([LEVEL_SHORTAGE, LEVEL_SHORTAGE | LEVEL_MEDIUM_FULL, LEVEL_MEDIUM_FULL])
  set.mediumOpened(plan, 7)
  expect(said.filter((kind) => kind === 'mediumRenewed')).toHaveLength(1)
})

test('of what several queues left, the one that forbids most decides', () => {
  const left: Record<string, QueueLegacy> = {
    'd/q0': { kind: 'rested' }, 'd/q1': { kind: 'recoverable', connection: { grefs: [1], evtchn: 2, abi: 'x86_64' } },
  }
  const pool = { legacy: (name: string): QueueLegacy => left[name] ?? { kind: 'unknown', sentence: 'nothing' } }
  expect(legaciesOf(pool, 'd')).toEqual({ legacy: left['d/q1'], legacies: [left['d/q0'], left['d/q1']] })
  left['d/q2'] = { kind: 'refused', sentence: 'damaged' }
  expect(legaciesOf(pool, 'd').legacy).toEqual(left['d/q2'])
  expect(legaciesOf({ legacy: () => ({ kind: 'unknown', sentence: 'nothing' }) }, 'd')).toEqual({
    legacy: { kind: 'unknown', sentence: 'nothing' },
  })
})
