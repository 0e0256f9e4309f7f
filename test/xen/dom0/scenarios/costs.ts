/**
 * @packageDocumentation
 * What grants and event channels cost here, as figures in the report: docs/decisions/grant-modes.md and
 * one-evtchn-descriptor-per-channel.md quote them. Emulated processors have no timing truth, so nothing is asserted but
 * that all of it worked; only ratios within one run mean something, and only on a machine that does nothing else.
 *
 *   npm run test:xen -- --only 'what grants cost' --only 'what an event channel costs' --only 'wake-ups per kick'
 */
import { readFileSync } from 'node:fs'
import { bindInterdomain, openEvtchn, takeEvent } from '../../../../src/io/native/evtchn.js'
import { GntdevCopier, mapRingPages, openGntdev } from '../../../../src/io/native/gntdev.js'
import { closeDescriptor, mapMemory, unmap, view } from '../../../../src/io/native/owners.js'
import { xenDataPath } from '../../../../src/io/xen/data-path.js'
import { GRANT_MODES, type GrantMode } from '../../../../src/ports/host.js'
import { until } from '../execute.js'
import { GuestPeer } from '../guest-peer.js'
import { scenario } from '../scenario.js'
import type { Toolbox } from '../toolbox.js'

const BATCHES = [1, 11, 64, 256]
const ROUNDS = 9
const CHANNELS = 200

async function peerOf(t: Toolbox): Promise<GuestPeer> {
  const peer = await GuestPeer.start(await t.guest())
  t.cleanup(() => peer.close())
  return peer
}

const microseconds = (body: () => void): number => {
  const began = performance.now()
  body()
  return (performance.now() - began) * 1000
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[values.length >> 1]

scenario('what grants cost', { boot: 'contract', timeout: 240 }, async (t) => {
  const peer = await peerOf(t)
  const grefs = peer.grant(256)
  const arena = mapMemory(256 * 4096)
  const gntdev = openGntdev()
  const copiers = new Map<GrantMode, GntdevCopier>()
  for (const mode of GRANT_MODES) copiers.set(mode, new GntdevCopier(gntdev, arena, peer.domid, mode, 256))
  const perPage = (mode: GrantMode, batch: number, toGuest: boolean): number => {
    // As many batches as make some hundred pages, from other pages each time.
    const batches = Math.max(1, Math.ceil(128 / batch))
    const lists = Array.from({ length: batches }, (_, index) => {
      const words = Array.from({ length: batch }, (_, at) => {
        const page = (index * batch + at) % 256
        return [grefs[page], 4096 << 16, page * 4096, toGuest ? 1 : 0]
      })
      return Int32Array.from(words.flat())
    })
    let failed = 0
    const took = microseconds(() => {
      for (const list of lists) failed += copiers.get(mode)?.copy(list, batch) ?? batch
    })
    expect(failed).toBe(0)
    return took / (batches * batch)
  }
  const results = new Map<string, number[]>()
  // Interleaved, so that whatever disturbs disturbs all; the first round fills what is kept mapped.
  for (let round = 0; round <= ROUNDS; round++)
    for (const mode of GRANT_MODES)
      for (const batch of BATCHES)
        for (const toGuest of [false, true]) {
          const took = perPage(mode, batch, toGuest)
          const key = `${mode} ${batch} ${toGuest}`
          if (round > 0) results.set(key, [...(results.get(key) ?? []), took])
        }
  t.log(`us per page of 4096 bytes, median of ${ROUNDS}: from the guest / to the guest`)
  for (const batch of BATCHES) {
    const cells = GRANT_MODES.map((mode) => {
      const [from, to] = [false, true].map((toGuest) => median(results.get(`${mode} ${batch} ${toGuest}`) ?? []))
      return `${mode} ${from.toFixed(1)} / ${to.toFixed(1)}`
    })
    t.log(`batch of ${String(batch).padStart(3)}:  ${cells.join('   ')}`)
  }
  for (const copier of copiers.values()) copier.close()
  const first = new GntdevCopier(gntdev, arena, peer.domid, 'persistent', 256)
  const words = Int32Array.from(grefs.flatMap((gref, page) => [gref, 4096 << 16, page * 4096, 0]))
  const took = microseconds(() => expect(first.copy(words, 256)).toBe(0))
  t.log(`persistent, first use of a page: ${(took / 256).toFixed(0)} us`)
  t.log(`and giving it up: ${(microseconds(() => first.close()) / 256).toFixed(0)} us`)
  closeDescriptor(gntdev)
  unmap(arena)
})

const slabKiB = (): number => Number(/^Slab:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1])

scenario('what an event channel costs', { boot: 'contract', timeout: 240 }, async (t) => {
  const peer = await peerOf(t)
  const ports = Array.from({ length: CHANNELS }, () => peer.offer())
  const before = slabKiB()
  const opened: number[] = []
  const opening = microseconds(() => {
    for (let index = 0; index < CHANNELS; index++) opened.push(openEvtchn(peer.domid))
  })
  const binding = microseconds(() => ports.forEach((port, index) => bindInterdomain(opened[index], peer.domid, port)))
  t.log(`open and restrict: ${(opening / CHANNELS).toFixed(0)} us; bind: ${(binding / CHANNELS).toFixed(0)} us`)
  t.log(`kernel memory of a descriptor with its channel: ${((slabKiB() - before) / CHANNELS).toFixed(1)} KiB`)
  let taken = 0
  const take = () => opened.forEach((handle) => (taken += takeEvent(handle) === 0 ? 0 : 1))
  const taking = microseconds(take)
  const looking = microseconds(take)
  expect(taken).toBe(CHANNELS)
  t.log(`taking an event and unmasking: ${(taking / CHANNELS).toFixed(0)} us`)
  t.log(`looking when there is none: ${(looking / CHANNELS).toFixed(0)} us`)
  const closing = microseconds(() => opened.forEach(closeDescriptor))
  t.log(`close, which unbinds: ${(closing / CHANNELS).toFixed(0)} us`)
  // All on one descriptor: what sharing it among a guest's channels would save.
  const shared = openEvtchn(peer.domid)
  const sharedBefore = slabKiB()
  ports.forEach((port) => bindInterdomain(shared, peer.domid, port))
  const each = (slabKiB() - sharedBefore) / CHANNELS
  t.log(`kernel memory of a channel on one shared descriptor: ${each.toFixed(1)} KiB`)
  closeDescriptor(shared)
})

scenario('wake-ups per kick', { boot: 'contract', timeout: 120 }, async (t) => {
  const peer = await peerOf(t)
  const [remote, [gref], eventHandle] = [peer.offer(), peer.grant(1), openEvtchn(peer.domid)]
  const port = bindInterdomain(eventHandle, peer.domid, remote)
  const plan = { world: 'xen', domid: peer.domid, port, eventHandle, notifyHandle: eventHandle } as const
  const channel = xenDataPath().openChannel(plan)
  const page = mapRingPages(peer.domid, [gref])
  const words = new Int32Array(view(page))
  let wakeups = 0
  channel.onNotified(() => {
    wakeups++
    channel.unmask()
  })
  for (const pauseUs of [0, 200, 2000]) {
    words.fill(0, 0, 2)
    wakeups = 0
    peer.storm({ port: remote, gref, kicks: 1000, pauseUs, seed: 1 })
    await until('the storm is over', () => Atomics.load(words, 1) === 1000, 60_000, 50)
    t.log(`1000 kicks with pauses up to ${pauseUs} us: ${wakeups} wake-ups`)
    expect(wakeups).toBeGreaterThan(0)
    expect(wakeups).toBeLessThanOrEqual(1001)
  }
  channel.close()
  closeDescriptor(eventHandle)
  unmap(page)
})
