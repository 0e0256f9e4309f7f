/**
 * @packageDocumentation
 * The Worker of workers.test.ts: opens a ring, a copier and a channel from plain plans, as a queue's Worker does,
 * echoes every request it takes, and does what it is told otherwise.
 */
import { parentPort, workerData } from 'node:worker_threads'
import { embeddedDataPath } from '../../src/embedded/data-path.js'
import { view } from '../../src/io/native/owners.js'
import type { ChannelPlan, GrantPlan, RingPlan } from '../../src/ports/host.js'

const plans = workerData as { ring: RingPlan; channel: ChannelPlan; grants: GrantPlan; arena: number }
const path = embeddedDataPath(0)
const ring = path.openRing(plans.ring)
const port = path.openChannel(plans.channel)
const copier = path.openGrants(plans.grants, { bytes: new Uint8Array(view(plans.arena)), handle: plans.arena })
const answers = new Int32Array(ring.size * 4)
let index = ring.published()

/** Answers everything: the id comes back, the status is -7, and page 0 of the guest goes to the arena. */
function round() {
  do {
    const count = ring.take(index, index, ring.size)
    for (let i = 0; i < count; i++) answers.set([ring.entries[i * ring.entryWords + 2], 0, 0, -7], i * 4)
    if (count > 0) copier.copy(Int32Array.of(0, 4096 << 16, 0, 0), 1)
    if (ring.answer(answers, count, index)) port.notify()
    index = (index + count) >>> 0
  } while (ring.arm(index))
  port.unmask()
}

parentPort?.on('message', (order: string) => {
  if (order === 'close') {
    ring.close()
    port.close()
    copier.close()
    parentPort?.postMessage('closed')
  } else if (order === 'throw') {
    port.onNotified(() => {
      throw new Error('planted')
    })
    parentPort?.postMessage('armed')
  } else if (order === 'spin') {
    parentPort?.postMessage('spinning')
    for (;;) ring.peek(index)
  } else if (order === 'exit') process.exit(3)
})
port.onNotified(round)
parentPort?.postMessage('ready')
