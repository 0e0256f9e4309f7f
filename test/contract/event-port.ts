/**
 * @packageDocumentation
 * What a queue's event channel owes it: one call per wake-up, silence until it is unmasked however wild the guest is,
 * and no wake-up lost. The last is judged by a storm: the guest counts in a shared word before each kick; whoever
 * unmasks and then looks at the word, once per call, must have seen the last number in the end.
 */
import type { EventPort } from '../../src/ports/data-path.js'

export interface EventPortWorld {
  readonly port: EventPort
  /** Shared with the guest: how often it has kicked in this storm, and that number once it is done. */
  readonly words: Int32Array
  /** The guest kicks so often; its kicks are on their way when this returns. */
  kick(times: number): void
  /** The guest kicks `kicks` times beside us, with random pauses of at most so many microseconds. */
  storm(kicks: number, pauseUs: number, seed: number): void
  /** Whether the guest was notified since it was last asked. */
  heard(): boolean | Promise<boolean>
  close(): Promise<void>
}

/** Longer than an event can be under way, and than a turn of the event loop. */
const SETTLED_MS = 60
const LOST_AFTER_MS = 10_000

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

async function until(what: string, look: () => boolean): Promise<void> {
  const end = performance.now() + LOST_AFTER_MS
  while (!look()) {
    if (performance.now() > end) throw new Error(`it did not happen: ${what}`)
    await pause(1)
  }
}

export function eventPortContract(name: string, make: () => Promise<EventPortWorld>): void {
  describe(`event port contract: ${name}`, () => {
    let world: EventPortWorld
    let calls = 0
    beforeEach(async () => {
      world = await make()
      calls = 0
    })
    afterEach(async () => {
      world.port.close()
      await world.close()
    })

    /** Binding makes a port pending: that first call is taken here. */
    async function listen(listener: () => void): Promise<void> {
      world.port.onNotified(() => {
        calls++
        listener()
      })
      await until('the call that binding causes', () => calls === 1)
      world.port.unmask()
      await pause(SETTLED_MS)
      calls = 0
    }

    test('XSA-332: many kicks are one call; nothing more until it is unmasked; and then one for all that came', async () => {
      await listen(() => undefined)
      world.kick(1)
      await until('a call', () => calls === 1)
      world.kick(200)
      await pause(SETTLED_MS)
      expect(calls).toBe(1)
      world.port.unmask()
      await until('the call for what came while it was masked', () => calls === 2)
      await pause(SETTLED_MS)
      expect(calls).toBe(2)
      world.port.unmask()
      await pause(SETTLED_MS)
      expect(calls).toBe(2)
      world.port.unmask()
      world.kick(1)
      await until('a call after it was unmasked twice', () => calls === 3)
    })

    test('what came before anyone listened is heard', async () => {
      world.kick(3)
      await pause(SETTLED_MS)
      world.port.onNotified(() => calls++)
      await until('a call', () => calls === 1)
    })

    test('no wake-up is lost in storms, unmasked at any moment', async () => {
      let seen = 0
      await listen(() => {
        world.port.unmask()
        seen = Atomics.load(world.words, 0)
      })
      for (let storm = 1; storm <= 60; storm++) {
        const kicks = 1 + ((storm * 7919) % 97)
        world.words.fill(0, 0, 2)
        world.storm(kicks, storm % 3 === 0 ? 0 : 400, storm)
        await until(`storm ${storm} is over`, () => Atomics.load(world.words, 1) === kicks)
        await until(`the last of ${kicks} kicks of storm ${storm} wakes us`, () => seen === kicks)
        seen = 0
      }
      expect(calls).toBeGreaterThanOrEqual(60)
    })

    test('unmasked late, as a queue does: looks again after it armed, and misses nothing', async () => {
      let seen = 0
      await listen(() => {
        // What a round of a queue takes; the storm goes on meanwhile.
        const end = performance.now() + 0.3
        do seen = Atomics.load(world.words, 0)
        while (performance.now() < end)
        world.port.unmask()
        seen = Atomics.load(world.words, 0)
      })
      for (let storm = 1; storm <= 30; storm++) {
        world.words.fill(0, 0, 2)
        world.storm(50, 300, 1000 + storm)
        const over = () => seen === 50 && Atomics.load(world.words, 1) === 50
        await until(`the last kick of storm ${storm} wakes us`, over)
        seen = 0
      }
    })

    test('the guest hears us', async () => {
      await listen(() => undefined)
      await world.heard()
      world.port.notify()
      await pause(SETTLED_MS)
      expect(await world.heard()).toBe(true)
      expect(await world.heard()).toBe(false)
    })

    test('after it is closed nothing calls, and the guest may kick on', async () => {
      await listen(() => undefined)
      world.port.close()
      world.kick(10)
      await pause(SETTLED_MS)
      expect(calls).toBe(0)
    })
  })
}
