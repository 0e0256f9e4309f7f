/**
 * The language of `--until`: what it says is found at the first moment at which it is so, whatever cannot be read is an
 * error that says what was expected, and no text makes it run on.
 */
import fc from 'fast-check'
import { CONDITION_TESTS_MAX, parseCondition } from '../../src/journal/condition.js'
import { Scene, walkUntil } from '../../src/journal/scene.js'
import { parseMoment, parseNanoseconds, resolveMoment } from '../../src/journal/times.js'
import { queueStateNames } from '../../src/machines/generated/queue.js'
import { recordedDevice } from '../support/recorded-device.js'

const chains = recordedDevice()

const first = (text: string) => walkUntil(new Scene(chains), parseCondition(text))

test('finds a device in a state, by a part of its path', () => {
  const closing = first('device in Closing')
  expect(closing).toMatchObject({ sentence: expect.stringMatching(/^vbd\/1\/51712 is in Closing\.serving for 0/) as string })
  expect(closing?.batch.cursor.chain.journal).toBe('vbd/1/51712')
  expect(first('device in Closing.draining')?.timeNs).toBeGreaterThan(closing?.timeNs ?? Infinity)
})

test('finds a request that waits longer than a time, in the gap between two batches', () => {
  const scene = new Scene(chains)
  const found = walkUntil(scene, parseCondition('request in Submitted > 15us'))
  expect(found?.sentence).toMatch(/^the request in slot \d+ of vbd\/1\/51712\/q0 is in Submitted for 0\.0(1[5-9]|[2-9]\d)/)
  // One batch earlier nothing had waited that long: asked at the time of that batch, it is not yet so.
  scene.recording.back()
  scene.nowNs = scene.recording.latest()?.timeNs ?? 0
  expect(parseCondition('request in Submitted > 15us').holds(scene)).toBeUndefined()
})

test('finds Shortage, its reason, counters and events, and joins tests', () => {
  const short = first('queue in Shortage')
  expect(short?.batch.cursor.queue?.core?.queueState).toBe(queueStateNames.indexOf('Shortage'))
  expect(first('short of slots')?.timeNs).toBeGreaterThanOrEqual(short?.timeNs ?? Infinity)
  expect(first('answeredOkay >= 100')?.batch.cursor.queue?.statistics.some((value) => value >= 100)).toBe(true)
  expect(first('request on held')).toBeDefined()
  expect(first('device on frontend.Closed')?.sentence).toBe('device was told frontend.Closed')
  expect(first('device in Closing and inFlight > 0')).toBeDefined()
  expect(first('queue in Broken or queue in Drained')?.sentence).toMatch(/is in Drained/)
  expect(first('not queue in Detached')?.timeNs).toBeLessThan(short?.timeNs ?? 0)
})

test('what never happens is not found', () => {
  expect(first('queue in Broken')).toBeUndefined()
  expect(first('request > 1h')).toBeUndefined()
})

test('goes on from where it stands: the second time is another time', () => {
  const scene = new Scene(chains)
  const condition = parseCondition('queue in Shortage')
  const times = [walkUntil(scene, condition), walkUntil(scene, condition)].map((found) => found?.timeNs ?? 0)
  expect(times[1]).toBeGreaterThan(times[0])
})

test.each([
  ['device in Clsing', /the chart device has no state "Clsing"; it has .*Closing/],
  ['guest in Closing', /"guest" is no actor \(request, queue, device, medium, connection, supervisor\)/],
  ['device', /it ends where in or on was expected/],
  ['device in Closing and', /it ends where an actor/],
  ['request in Held > 10', /"10" is no duration/],
  ['device on sunshine', /knows no event "sunshine"/],
  ['inFlight > many', /a number was expected/],
  ['short of time', /never short of "time", only of slots, buffers/],
  ['device in Closed xor device in Failed', /"xor" stands where and or or was expected/],
])('%s is refused with what was expected', (text, sentence) => {
  expect(() => parseCondition(text)).toThrow(sentence)
})

test('is bounded, and reading it never fails in another way', () => {
  const tests = (count: number) => new Array<string>(count).fill('inFlight > 1').join(' and ')
  expect(() => parseCondition(tests(CONDITION_TESTS_MAX))).not.toThrow()
  expect(() => parseCondition(tests(CONDITION_TESTS_MAX + 1))).toThrow(/at most 16 tests/)
  const word = fc.constantFrom('not', 'and', 'or', 'request', 'queue', 'in', 'on', '>', 'Held', '10ms', 'short', 'of', 'x', '7')
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.array(word).map((words) => words.join(' '))), (text) => {
      try {
        parseCondition(text)
      } catch (error) {
        expect(error).toMatchObject({ code: 'XBBD_CONDITION', exitCode: 64 })
      }
    }),
    { numRuns: 500 },
  )
})

test('durations and moments as people write them', () => {
  expect([parseNanoseconds('10ms'), parseNanoseconds('1.5s'), parseNanoseconds('250us'), parseNanoseconds('5')]).toEqual([
    10e6, 1.5e9, 250e3, undefined,
  ])
  const identity = { ...chains[0].identity, wallMs: Date.parse('2026-11-26T09:59:59Z'), monotonicNs: 5e9 }
  const at = (text: string) => {
    const wish = parseMoment(text)
    if (wish === undefined || wish.kind === 'batch') return wish
    return resolveMoment(wish, identity, 6e9, 20e9)
  }
  expect(at('812')).toEqual({ kind: 'batch', batch: 812 })
  expect([at('+1.5s'), at('-2s'), at('10:00:00.5'), at('2026-11-26T10:00:01Z')]).toEqual([7.5e9, 18e9, 6.5e9, 7e9])
  expect([parseMoment('yesterday'), parseMoment('+soon'), parseMoment('')]).toEqual([undefined, undefined, undefined])
})
