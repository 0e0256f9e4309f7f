/**
 * @packageDocumentation
 * A guest in a process of its own that verifies every block it wrote, for as long as it is told to: depth 64, mixed
 * sizes, flushes, barriers with data, flushes with data, discards. `verifying-front.js HOSTDIR MAXBYTES`.
 *
 *   stderr  domid N · connected · first MS (wall clock of the next answer after a mark) · result { … }
 *   stdin   mark · stop
 *
 * A block that is being written is not read until the write is answered, so a write may take effect any number of times
 * until then; afterwards every read, and the sweep at the end, must find it: an older one that lands late is found.
 */
import type { BlockDevice } from '../../src/embedded/block-device.js'
import { Blkfront } from '../../src/embedded/blkfront/blkfront.js'
import { GuestDomain } from '../../src/embedded/guest/guest-domain.js'
import { runWorkload } from '../../src/embedded/workload.js'
import { systemClock } from '../../src/io/native/system-clock.js'

const [, , dir, maxBytes = '65536'] = process.argv
const say = (line: string) => void process.stderr.write(`${line}\n`)
const guest = await GuestDomain.create({ dir, name: 'verifying', pages: 32_768 })
const store = await guest.connectXenStore()
say(`domid ${guest.domid}`)
const frontend = guest.vbdPath(51712)
while ((await store.read(`${frontend}/backend`)) === undefined) await new Promise((resolve) => setTimeout(resolve, 10))
const events: unknown[] = []
const front = await Blkfront.connect({
  guest, store, frontend, clock: systemClock, ringPages: 4, onEvent: (event) => events.push(event),
})

/** As much as one request can carry goes as a barrier or as a flush with data now and then. */
const SINGLE_BYTES = 11 * 4096
let writes = 0
const device: BlockDevice = Object.create(front) as BlockDevice
Object.defineProperties(device, {
  sizeBytes: { get: () => front.sizeBytes }, sectorSize: { get: () => front.sectorSize },
  readOnly: { get: () => front.readOnly }, canFlush: { get: () => front.canFlush }, canTrim: { get: () => front.canTrim },
  read: { value: (offset: number, length: number) => front.read(offset, length) },
  flush: { value: () => front.flush() },
  trim: { value: (offset: number, length: number) => front.trim(offset, length) },
  write: {
    value: (offset: number, data: Uint8Array) => {
      const turn = ++writes % 48
      if (data.length <= SINGLE_BYTES && turn === 0) return front.barrier(offset, data)
      if (data.length <= SINGLE_BYTES && turn === 16) return front.flushWith(offset, data)
      return front.write(offset, data)
    },
  },
})

/** Answers when a mark came. */
let marked: number | undefined
let stopping = false
process.stdin.setEncoding('utf8').on('data', (text: string) => {
  if (text.includes('mark')) marked = front.counters.answers
  if (text.includes('stop')) stopping = true
})
setInterval(() => {
  if (marked === undefined || front.counters.answers === marked) return
  say(`first ${systemClock.wallMs()}`)
  marked = undefined
}, 1)

say('connected')
const totals = { reads: 0, writes: 0, sectorsVerified: 0, errors: 0 }
let finding: string | undefined
const mix = { read: 42, write: 50, flush: 4, trim: 4 }
for (let seed = 1; !stopping && finding === undefined; seed++) {
  const load = { device, clock: systemClock, seed, depth: 64, maxBytes: Number(maxBytes), mix }
  const result = await runWorkload({ ...load, count: 300, spanBytes: 16 << 20 })
  finding = result.finding
  for (const key of ['reads', 'writes', 'sectorsVerified', 'errors'] as const) totals[key] += result[key]
}
const { counters } = front
const { violations } = counters
say(`result ${JSON.stringify({ ...totals, finding, violations, events, requests: counters.requests, answers: counters.answers })}`)
await front.close()
process.exit(finding === undefined && violations === 0 ? 0 : 1)
