/**
 * @packageDocumentation
 * Opens an NBD export as a medium: asks the server what it is (size, block sizes, abilities) on a connection that it
 * ends again. The queues' ports then connect for themselves, from the plan.
 *
 *   look ─► export ─► geometry, notes ─► plan
 *
 * Nothing on a server locks an export. So that two guests of this daemon do not write one disk, what it has open is
 * remembered here, as a lock on a file would be: writers are alone, readers share. What other machines do is not seen.
 */
import type { Clock } from '../../../ports/clock.js'
import type {
  Medium, MediumError, MediumOpened, MediumSpec, NbdAddress, NbdCare, NbdExport,
} from '../../../ports/medium.js'
import * as nbd from '../../../protocol/nbd.js'
import { tooSmall } from '../parse-target.js'
import { layersOf, leastTransfer, sectorsFor } from '../sectors.js'
import { geometryOf, ownSectors } from './abilities.js'
import { NbdLink } from './link.js'

/** What is done where nobody says otherwise (tests, tools). */
export const DEFAULT_NBD_CARE: NbdCare = { reconnectMs: 60_000, fenceMs: 3000, replayBytes: 16 << 20 }

/** Requests that one queue may have at the server, unless told otherwise. */
const DEFAULT_DEPTH = 256

/** Exports that are open in this process: how many read, or -1 when one writes. */
const open = new Map<string, number>()

type Looked = { readonly ok: true; readonly export: NbdExport } | { readonly ok: false; readonly sentence: string }

/** Asks the server at `address`. Never rejects. */
export function lookAtExport(address: NbdAddress, clock: Clock): Promise<Looked> {
  return new Promise((resolve) => {
    const link = new NbdLink(address, 'look', clock, {
      opened: (end) => {
        link.close()
        resolve({ ok: true, export: end.export })
      },
      refused: (sentence) => resolve({ ok: false, sentence }),
      data: () => undefined,
      lost: () => undefined,
    })
  })
}

/** @returns the medium, or a sentence that names the address and what to do. */
export async function openNbdMedium(address: NbdAddress, spec: MediumSpec, clock: Clock): Promise<MediumOpened> {
  const care = spec.nbd ?? DEFAULT_NBD_CARE
  const looked = await lookAtExport(address, clock)
  if (!looked.ok) return failure('io', `${address.uri} cannot be opened: ${looked.sentence}`)
  const { export: offered } = looked
  const refusal = objection(address, offered, spec)
  if (refusal !== undefined) return { ok: false, error: refusal }
  const judged = sectorsFor(spec, ownSectors(offered))
  if (!judged.ok) return judged
  const { sectors } = judged
  const geometry = geometryOf(offered, sectors, { readOnly: spec.readOnly, replayBytes: care.replayBytes })
  if (geometry.sectorCount === 0) return { ok: false, error: tooSmall(address.uri, leastTransfer(sectors)) }
  const held = hold(address, geometry.readOnly)
  if (!held.ok) return failure('locked', `${address.uri} is in use by another disk of this daemon: detach that first`)
  const { depth = DEFAULT_DEPTH } = spec
  // Where a server can only trim, a discard stays one: what reads return afterwards is its affair.
  const discardZeroes = spec.discard === 'zeroes' && (offered.flags & nbd.SEND_WRITE_ZEROES) !== 0
  const medium: Medium = {
    geometry,
    plan: {
      kind: 'nbd', geometry, layers: layersOf(spec, sectors), address, depth, export: offered, discardZeroes, ...care,
    },
    notes: notesOn(address, offered, leastTransfer(sectors)),
    currentSectorCount: () => geometry.sectorCount,
    close: held.release,
  }
  return { ok: true, medium }
}

function failure(code: MediumError['code'], sentence: string): MediumOpened {
  return { ok: false, error: { code, sentence } }
}

function objection({ uri }: NbdAddress, offered: NbdExport, { readOnly }: MediumSpec): MediumError | undefined {
  const { minimumBlock, flags } = offered
  if ((flags & nbd.READ_ONLY) !== 0 && !readOnly)
    return { code: 'denied', sentence: `${uri} is offered read-only: attach it read-only, or change the server` }
  if (minimumBlock > 4096) {
    const what = `${uri} takes no blocks below ${minimumBlock} bytes, more than the 4096 that a guest's page holds`
    return { code: 'io', sentence: `${what}: put nbdkit with --filter=blocksize in front of it` }
  }
  return undefined
}

function notesOn({ uri }: NbdAddress, { sizeBytes, flags }: NbdExport, sectorSize: number): string[] {
  const odd = sizeBytes % sectorSize
  const notes: string[] = []
  if (odd > 0) notes.push(`${uri} ends ${odd} bytes behind its last whole sector: these are not part of the disk`)
  if ((flags & (nbd.SEND_FLUSH | nbd.SEND_FUA | nbd.READ_ONLY)) === 0)
    notes.push(`${uri} knows no flush: what it acknowledges is taken to be durable`)
  return notes
}

type Hold = { readonly ok: true; readonly release: () => void } | { readonly ok: false }

function hold(address: NbdAddress, readOnly: boolean): Hold {
  const key = JSON.stringify([address.at, address.exportName])
  const users = open.get(key) ?? 0
  if (users < 0 || (!readOnly && users > 0)) return { ok: false }
  open.set(key, readOnly ? users + 1 : -1)
  const release = () => {
    const left = (open.get(key) ?? 1) - 1
    if (left > 0) open.set(key, left)
    else open.delete(key)
  }
  return { ok: true, release }
}
