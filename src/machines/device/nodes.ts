/**
 * @packageDocumentation
 * Judges the nodes that a toolstack writes into a back end's directory (PROTOCOL.md §1.1, SEED.md S3). All is read
 * from our side: the front end's directory belongs to the guest, who may write `mode` and `device-type` there as it
 * likes. Keys that are empty count as absent.
 */
import { BACKEND_KEYS as K, VETOABLE, enableKey } from '../../protocol/keys.js'
import { present } from '../../protocol/parse.js'
import { RATE_LIMIT_NODES } from '../../protocol/rate-limit.js'
import { parseSectorFormat } from '../../protocol/sector-format.js'
import { vdevName } from '../../protocol/vdev.js'
import type { BackendNodes, RawNodes } from './types.js'

/** The keys of our own directory that are read. */
export const READ_KEYS = [
  K.frontend, K.frontendId, K.online, K.state, K.mode, K.params, K.deviceType, K.dev, K.removable, K.sectors,
  K.sectorFormat, K.maxIndirectSegments, ...VETOABLE.map(enableKey), ...Object.values(RATE_LIMIT_NODES),
] as const

export type JudgedNodes =
  | { readonly kind: 'complete'; readonly nodes: BackendNodes }
  /** The toolstack is still writing. */
  | { readonly kind: 'incomplete' }
  | { readonly kind: 'refused'; readonly sentence: string }

/** `domid` is the one of the directory's path, which only the toolstack can have made. */
export function judgeNodes(raw: RawNodes, domid: number, devid: number): JudgedNodes {
  const frontend = raw[K.frontend]
  if (!frontend || !raw[K.frontendId]) return { kind: 'incomplete' }
  if (raw[K.frontendId] !== String(domid))
    return refused(`frontend-id says ${quoted(raw[K.frontendId])}, but the directory belongs to domain ${domid}`)
  if (!frontend.startsWith(`/local/domain/${domid}/`))
    return refused(`frontend ${quoted(frontend)} does not lie below /local/domain/${domid}: attach the device anew`)
  const cdrom = raw[K.deviceType] === 'cdrom'
  const named = targetOf(raw[K.params], cdrom)
  if (!named.ok) return refused(named.sentence)
  const wished = present(raw[K.sectorFormat])
  const format = wished === undefined ? undefined : parseSectorFormat(wished)
  if (format?.ok === false) return refused(`${K.sectorFormat} says ${format.sentence}`)
  return {
    kind: 'complete',
    nodes: {
      frontend,
      domid,
      target: named.target,
      // Read-only unless it says w, as the seed has it; the medium is then opened so, too (XSA-142).
      readOnly: cdrom || !(raw[K.mode] ?? '').includes('w'),
      cdrom,
      removable: raw[K.removable] === '1' || cdrom,
      vetoes: VETOABLE.filter((feature) => raw[enableKey(feature)] === '0'),
      ...(format === undefined ? {} : { sectorFormat: format.value }),
      ...(raw[K.sectors] ? { published: raw[K.sectors] } : {}),
      ...(/^\d{1,4}$/.test(raw[K.maxIndirectSegments] ?? '')
        ? { offeredIndirect: Number(raw[K.maxIndirectSegments]) } : {}),
      vdev: raw[K.dev] || vdevName(devid) || String(devid),
    },
  }
}

export type NamedTarget =
  | { readonly ok: true; readonly target: string }
  | { readonly ok: false; readonly sentence: string }

/**
 * What `params` names; empty = a drive without a disc, which only a CD-ROM can be. libxl writes `aio:PATH` where QEMU
 * is meant to read it, and older toolstacks write `phy:` or `file:` before a path. Other formats than raw are refused:
 * served as they are, they would be garbage to the guest and to themselves.
 */
export function targetOf(params: string | undefined, cdrom: boolean): NamedTarget {
  const [, format, path] = /^(aio|raw|phy|file|qcow2?|vhd|qed|vdi):(.*)$/s.exec(params ?? '') ?? ['', '', params ?? '']
  if (/^(q|v)/.test(format))
    return { ok: false, sentence: `params says ${quoted(params ?? '')}, but only raw images are served: convert it` }
  if (path !== '' || cdrom) return { ok: true, target: path }
  return { ok: false, sentence: 'params is missing: write the path of an image or a block device there' }
}

/** Absent counts as online: by-hand set-ups often leave it out. */
export function parseOnline(text: string | undefined): boolean {
  return text === undefined || text === '' || text !== '0'
}

function refused(sentence: string): JudgedNodes {
  return { kind: 'refused', sentence }
}

/** At most 64 characters of what somebody else wrote. */
function quoted(text: string): string {
  return JSON.stringify(text.length > 64 ? `${text.slice(0, 64)}…` : text)
}
