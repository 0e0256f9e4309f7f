/**
 * @packageDocumentation
 * A guest in a process of its own that is going to be suspended: `suspended-front.js HOSTDIR`. It writes all blocks, then
 * half of them again, and says on standard error `domid N`, `asked` and each `answered INDEX`, so that whoever kills it
 * knows what its shadow copy would have held.
 */
import { Blkfront } from '../../src/embedded/blkfront/blkfront.js'
import { GuestDomain } from '../../src/embedded/guest/guest-domain.js'
import { systemClock } from '../../src/io/native/system-clock.js'
import { AGAIN, BLOCK, block, BLOCKS } from './shadow.js'

const say = (text: string) => void process.stderr.write(`${text}\n`)

const guest = await GuestDomain.create({ dir: process.argv[2], name: 'suspended' })
const store = await guest.connectXenStore()
say(`domid ${guest.domid}`)
const frontend = guest.vbdPath(51712)
while ((await store.read(`${frontend}/backend`)) === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
const device = await Blkfront.connect({ guest, store, frontend, clock: systemClock })
await Promise.all(Array.from({ length: BLOCKS }, (_, index) => device.write(index * BLOCK, block(index, 0))))
const answers = AGAIN.map((index) => device.write(index * BLOCK, block(index, 1)).then(() => say(`answered ${index}`)))
say('asked')
await Promise.all(answers)
