/**
 * @packageDocumentation
 * Front ends for bench (d), all in one process that is not the daemon's: one guest and one disk each, connected over a
 * ring of 16 pages and then idle; the first one puts its disk under load once.
 */
import { Blkfront } from '../src/embedded/blkfront/blkfront.js'
import { GuestDomain } from '../src/embedded/guest/guest-domain.js'
import { runWorkload } from '../src/embedded/workload.js'
import { systemClock } from '../src/io/native/system-clock.js'
import { sentenceOf } from '../src/protocol/errors.js'

export type GuestsRequest =
  | { readonly kind: 'create'; readonly dir: string; readonly count: number }
  /** Connects the guests from number `from` on. */
  | { readonly kind: 'connect'; readonly from: number; readonly devid: number }
  | { readonly kind: 'load'; readonly milliseconds: number }

export type GuestsReply =
  | { readonly kind: 'done'; readonly domids: readonly number[] }
  | { readonly kind: 'failed'; readonly sentence: string }

const guests: GuestDomain[] = []
const fronts: Blkfront[] = []

async function obey(request: GuestsRequest): Promise<GuestsReply> {
  switch (request.kind) {
    case 'create':
      for (let index = 0; index < request.count; index++)
        guests.push(await GuestDomain.create({ dir: request.dir, name: `idle-${guests.length}` }))
      break
    case 'connect':
      for (const guest of guests.slice(request.from)) {
        const frontend = guest.vbdPath(request.devid)
        const store = await guest.connectXenStore()
        fronts.push(await Blkfront.connect({ guest, store, frontend, clock: systemClock, ringPages: 16 }))
      }
      break
    case 'load': {
      const { ok, finding } = await runWorkload({
        device: fronts[0], clock: systemClock, seed: 1, depth: 128, durationMs: request.milliseconds,
      })
      if (!ok) return { kind: 'failed', sentence: finding ?? 'calls failed' }
    }
  }
  return { kind: 'done', domids: guests.map(({ domid }) => domid) }
}

process.on('message', (request: GuestsRequest) => {
  obey(request).then(
    (reply) => process.send?.(reply),
    (error: unknown) => process.send?.({ kind: 'failed', sentence: sentenceOf(error) } satisfies GuestsReply),
  )
})
process.on('disconnect', () => process.exit(0))
