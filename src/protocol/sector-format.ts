/**
 * @packageDocumentation
 * The sectors that an operator may ask for, in the words of the drives' makers:
 *
 *   512, 1024, 2048, 4096     the guest is told so (`sector-size`), and whatever is not made of whole ones is refused
 *   512e                      the guest sees 512 bytes, the medium whole 4096: smaller writes are emulated
 *
 * Nothing asked for means the medium's own. On the wire all counts stay in units of 512 bytes
 * (xen/include/public/io/blkif.h, note 12).
 */
import { shown, type Parsed } from './parse.js'

export const SECTOR_FORMATS = ['512', '1024', '2048', '4096', '512e'] as const

export type SectorFormat = (typeof SECTOR_FORMATS)[number]

/** What reaches a medium in one piece where sectors of 512 bytes are emulated. */
export const WHOLE_SECTOR_BYTES = 4096

/** What stands in the node `sector-format`, or a sentence that says what may. */
export function parseSectorFormat(text: string): Parsed<SectorFormat> {
  const value = SECTOR_FORMATS.find((format) => format === text)
  if (value !== undefined) return { ok: true, value }
  return { ok: false, sentence: `${shown(text)}, but it may be ${SECTOR_FORMATS.join(', ')}` }
}
