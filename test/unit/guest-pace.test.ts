/**
 * What a guest's writes in XenStore may cost: reads of its nodes, and XenStore's time.
 */
import { Subject } from 'rxjs'
import { ReadPace } from '../../src/actors/xenbus/read-pace.js'
import { rereading } from '../../src/actors/xenbus/watching.js'
import { FairShare } from '../../src/embedded/xenstored/fair-share.js'
import { ManualClock } from '../../src/sim/manual-clock.js'

const settle = () => new Promise((resolve) => setImmediate(resolve))

test('XSA-349: a node that is written without end is read 64 times at once, then 20 times a second, and last as it stands', async () => {
  const clock = new ManualClock()
  const writes$ = new Subject<void>()
  let [value, reads, seen] = [0, 0, 0]
  const subscription = writes$.pipe(rereading(() => Promise.resolve((reads++, value)), new ReadPace(clock)))
    .subscribe((read) => { seen = read })
  const write = async () => {
    value++
    writes$.next()
    await settle()
  }
  for (let index = 0; index < 200; index++) await write()
  expect([reads, seen]).toEqual([64, 64])
  for (let tenth = 0; tenth < 10; tenth++) {
    clock.advance(100)
    await write()
    await write()
  }
  expect(reads).toBeLessThanOrEqual(64 + 21)
  clock.advance(60)
  await settle()
  clock.advance(60)
  await settle()
  expect(seen).toBe(value)
  subscription.unsubscribe()
  expect(clock.pending).toBe(0)
})

test('a read that waits for its time is not made for someone who left', async () => {
  const clock = new ManualClock()
  const writes$ = new Subject<void>()
  let reads = 0
  const subscription = writes$.pipe(rereading(() => Promise.resolve(reads++), new ReadPace(clock))).subscribe()
  for (let index = 0; index < 70; index++) {
    writes$.next()
    await settle()
  }
  subscription.unsubscribe()
  clock.advance(1000)
  expect(reads).toBe(64)
})

test('a guest gets a fifth of the time that XenStore has, over any longer while', () => {
  const clock = new ManualClock()
  const share = new FairShare(clock)
  let [served, waiting] = [0, false]
  const work = () => {
    clock.advance(2)
    served += 2
  }
  for (let ms = 0; ms < 20_000; ms++) {
    if (waiting) clock.advance(1)
    else waiting = share.spend(work, () => { waiting = false })
  }
  expect(served / (clock.nowNs() / 1e6)).toBeGreaterThan(0.15)
  expect(served / (clock.nowNs() / 1e6)).toBeLessThan(0.25)
})

test('one that asks now and then never waits', () => {
  const clock = new ManualClock()
  const share = new FairShare(clock)
  for (let index = 0; index < 100; index++) {
    clock.advance(20)
    expect(share.spend(() => { clock.advance(1) }, () => undefined)).toBe(false)
  }
})
