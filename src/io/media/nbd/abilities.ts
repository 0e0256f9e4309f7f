/**
 * @packageDocumentation
 * What an export's flags and sizes mean for a disk: its geometry, the commands that are used on it, how long a part may
 * be, and how writes become durable.
 *
 *   a log, and flushes   the server can flush, and `nbd.replay-size` is not 0: one queue, for the log is one's own
 *   FUA on every change  it can, and there is no log, or it cannot flush
 *   flushes alone        neither: a connection that is lost loses the sync
 *   nothing              it has no cache of which it speaks: what it acknowledged is done
 *
 * A server that comes back must be able to do all that was promised of it to the guest.
 */
import { IO_DISCARD, IO_READ, IO_SYNC, IO_WRITE, IO_WRITE_ZEROES } from '../../../ports/data-path.js'
import type { MediumGeometry, NbdCare, NbdExport } from '../../../ports/medium.js'
import { leastTransfer, wholeSectors, type Sectors } from '../sectors.js'
import * as nbd from '../../../protocol/nbd.js'

/** What a discard or zeroing asks for at once; its length is 32 bits, and a server should not be busy for minutes. */
const SPAN_MAX = 1 << 30
/** A part is at most this share of the log, so that several can be under way. */
const LOG_SHARE = 8
/** A guest is not told of physical sectors larger than its pages. */
const PHYSICAL_MAX = 4096

const has = ({ flags }: NbdExport, flag: number) => (flags & flag) !== 0

interface Served extends NbdCare {
  readonly export: NbdExport
  readonly geometry: MediumGeometry
  readonly discardZeroes?: boolean
}

/** How writes become durable. */
export function durabilityOf({ export: offered, geometry, replayBytes, discardZeroes = false }: Served) {
  const changes = !geometry.readOnly
  const flushes = changes && has(offered, nbd.SEND_FLUSH)
  const logs = flushes && replayBytes > 0
  const zeroing = has(offered, nbd.SEND_WRITE_ZEROES) ? nbd.CMD_WRITE_ZEROES : nbd.CMD_WRITE
  const commands: Readonly<Record<number, number>> = {
    [IO_READ]: nbd.CMD_READ, [IO_WRITE]: nbd.CMD_WRITE, [IO_SYNC]: nbd.CMD_FLUSH, [IO_WRITE_ZEROES]: zeroing,
    [IO_DISCARD]: discardZeroes ? nbd.CMD_WRITE_ZEROES : nbd.CMD_TRIM,
  }
  return { flushes, logs, fua: changes && !logs && has(offered, nbd.SEND_FUA), commands }
}

/** The longest part of each operation, bytes, in whole sectors. */
export function partLimits(served: Served, zeroBytes: number): Readonly<Record<number, number>> {
  const { export: { maximumPayload }, geometry: { sectorSize }, replayBytes } = served
  const { commands, logs } = durabilityOf(served)
  const whole = (bytes: number) => Math.max(sectorSize, bytes - (bytes % sectorSize))
  const write = whole(Math.min(maximumPayload, logs ? replayBytes / LOG_SHARE : maximumPayload))
  const emulated = commands[IO_WRITE_ZEROES] === nbd.CMD_WRITE
  return {
    [IO_READ]: whole(maximumPayload), [IO_WRITE]: write, [IO_DISCARD]: SPAN_MAX,
    [IO_WRITE_ZEROES]: emulated ? whole(Math.min(write, zeroBytes)) : SPAN_MAX,
  }
}

/** The least that the server takes, as sectors, and what it likes best. */
export function ownSectors({ minimumBlock, preferredBlock }: NbdExport) {
  const sectorSize = Math.max(512, minimumBlock)
  const physical = Math.min(PHYSICAL_MAX, preferredBlock)
  const isSize = physical > 0 && (physical & (physical - 1)) === 0
  return { sectorSize, physicalSectorSize: Math.max(sectorSize, isSize ? physical : 0) }
}

/** The disk that an export is, in sectors that it can take. */
export function geometryOf(
  offered: NbdExport, sectors: Sectors, wish: { readonly readOnly: boolean; readonly replayBytes: number },
): MediumGeometry {
  const readOnly = wish.readOnly || has(offered, nbd.READ_ONLY)
  const canFlush = has(offered, nbd.SEND_FLUSH)
  const canFua = has(offered, nbd.SEND_FUA)
  const throughFua = canFua && wish.replayBytes === 0
  return {
    sectorCount: wholeSectors(offered.sizeBytes, sectors),
    ...sectors,
    readOnly,
    canFlush: canFlush || canFua,
    canDiscard: has(offered, nbd.SEND_TRIM) && !readOnly,
    canSecureDiscard: false,
    discardGranularity: leastTransfer(sectors),
    discardAlignment: 0,
    // Several queues are several connections: where a flush on one covers all, and nothing is kept to be sent again.
    buffered: !(has(offered, nbd.CAN_MULTI_CONN) && (throughFua || readOnly || !canFlush)),
  }
}

/** Why a server that came back is not the one that was lost; undefined when it will do. */
export function whyOther({ export: before, geometry: { readOnly } }: Served, now: NbdExport): string | undefined {
  if (now.sizeBytes < before.sizeBytes)
    return `the export shrank from ${before.sizeBytes} to ${now.sizeBytes} bytes while it was away`
  if (!readOnly && has(now, nbd.READ_ONLY)) return 'the export has become read-only while it was away'
  const needed = nbd.SEND_FLUSH | nbd.SEND_FUA | nbd.SEND_TRIM | nbd.SEND_WRITE_ZEROES
  if (!readOnly && (before.flags & needed & ~now.flags) !== 0)
    return 'the export can do less than before it was away (flush, FUA, trim or write-zeroes)'
  if (now.minimumBlock > Math.max(512, before.minimumBlock) || now.maximumPayload < before.maximumPayload)
    return 'the export takes other block sizes than before it was away'
  return undefined
}

/** NBD's error as a medium's: -errno. A full disk is told from a broken one, the rest is EIO. */
export function errnoOf(error: number): number {
  switch (error) {
    case 0:
      return 0
    case 1:
      return -30
    case 28:
      return -28
    case 95:
      return -95
    default:
      return -5
  }
}
