/**
 * @packageDocumentation
 * What it costs on this machine to be woken: from the moment at which a descriptor becomes readable to the callback in
 * the event loop, with the thread asleep in between. It decides how long polling is worth its processor
 * (actors/spin-governor.ts): 30 to 60 µs where hardware runs us, ten times as much under an emulator.
 *
 * The descriptor is a timer's, whose moment is known beforehand. The median of a few is taken, because the first ones
 * run code that has never run, and one may meet another process.
 */
import { nowNs } from './clock.js'
import { loadAddon } from './load.js'
import { closeDescriptor } from './owners.js'
import { Poller } from './poller.js'

interface TimerAddon {
  timerCreate(): number
  timerSet(handle: number, atNs: number): void
}

const addon = loadAddon<TimerAddon>()
const ROUNDS = 9
/** Long enough to be asleep when it comes. */
const AHEAD_NS = 300_000

/** Nanoseconds; takes a few milliseconds. */
export async function wakeUpCostNs(): Promise<number> {
  const timer = addon.timerCreate()
  let woken: () => void = () => undefined
  const poller = new Poller(timer, 'eventfd', () => woken())
  const costs: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const due = Math.floor(nowNs()) + AHEAD_NS
    await new Promise<void>((resolve) => {
      woken = resolve
      addon.timerSet(timer, due)
    })
    costs.push(nowNs() - due)
  }
  poller.close()
  closeDescriptor(timer)
  return costs.sort((a, b) => a - b)[ROUNDS >> 1]
}
