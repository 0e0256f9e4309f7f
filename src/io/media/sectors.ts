/**
 * @packageDocumentation
 * The sectors of a medium as its guest is told of them: the medium's own, larger ones that the operator asked for, or
 * 512 bytes that are emulated (512e). What a medium cannot take is a sentence here and never an I/O that fails later.
 */
import type { MediumError, MediumGeometry, MediumLayer, MediumSpec } from '../../ports/medium.js'
import { WHOLE_SECTOR_BYTES } from '../../protocol/sector-format.js'

/** Sizes in bytes. */
export type Sectors = Pick<MediumGeometry, 'sectorSize' | 'physicalSectorSize' | 'wholeSectorSize'>

/** Of a whole sector no part can be given up so that nobody finds it again. */
export function secureDiscard(possible: boolean, { wholeSectorSize }: Sectors): boolean {
  return possible && wholeSectorSize === undefined
}

export type JudgedSectors =
  | { readonly ok: true; readonly sectors: Sectors }
  | { readonly ok: false; readonly error: MediumError }

/** `own`: what the medium takes at least, and what it says of its physical sectors. */
export function sectorsFor(
  { sectorFormat, target }: MediumSpec, own: { readonly sectorSize: number; readonly physicalSectorSize: number },
): JudgedSectors {
  if (sectorFormat === '512e') {
    const physicalSectorSize = Math.max(WHOLE_SECTOR_BYTES, own.physicalSectorSize)
    return { ok: true, sectors: { sectorSize: 512, physicalSectorSize, wholeSectorSize: WHOLE_SECTOR_BYTES } }
  }
  const sectorSize = sectorFormat === undefined ? own.sectorSize : Number(sectorFormat)
  if (sectorSize >= own.sectorSize)
    return { ok: true, sectors: { sectorSize, physicalSectorSize: Math.max(sectorSize, own.physicalSectorSize) } }
  const sentence = `${target} has sectors of ${own.sectorSize} bytes: ask for these, or for 512e, which emulates 512`
  return { ok: false, error: { code: 'bad-spec', sentence } }
}

/** What reaches the medium is made of whole ones of these, in bytes. */
export function leastTransfer({ sectorSize, wholeSectorSize }: Sectors): number {
  return wholeSectorSize ?? sectorSize
}

/** Capacity in 512-byte sectors: what lies behind the last whole sector is no part of the disk. */
export function wholeSectors(bytes: number, sectors: Sectors): number {
  const least = leastTransfer(sectors)
  return Math.floor(bytes / least) * (least / 512)
}

/** The layers of the plan: emulation is outermost, so that planted faults and delays are the medium's. */
export function layersOf({ layers = [] }: MediumSpec, { wholeSectorSize }: Sectors): readonly MediumLayer[] {
  return wholeSectorSize === undefined ? layers : [{ kind: 'whole-sectors', bytes: wholeSectorSize }, ...layers]
}
