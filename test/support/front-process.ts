/**
 * @packageDocumentation
 * A guest in a process of its own, to be killed: makes its domain, waits for a disk that is attached to it, and keeps
 * reading and writing. `front-process.js HOSTDIR`; says `domid N` and then `under load` on standard error.
 */
import { Blkfront } from '../../src/embedded/blkfront/blkfront.js'
import { GuestDomain } from '../../src/embedded/guest/guest-domain.js'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'

const guest = await GuestDomain.create({ dir: process.argv[2], name: 'doomed' })
const store = await guest.connectXenStore()
process.stderr.write(`domid ${guest.domid}\n`)
const frontend = guest.vbdPath(51712)
while ((await store.read(`${frontend}/backend`)) === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
const device = await Blkfront.connect({ guest, store, frontend, clock: systemClock })
process.stderr.write('under load\n')
await runWorkload({ device, clock: systemClock, seed: 1, durationMs: 60_000, depth: 64 })
