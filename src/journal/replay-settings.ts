/**
 * @packageDocumentation
 * The settings of a recorded queue, from a header that anyone may have written: a replay makes a core of them, so every
 * number is bounded before memory is allocated by it. The bounds are far above what the program itself can write.
 */
import type { CoreSettings } from '../core/queue-core.js'
import { BLOCK_SEGMENTS_LIMIT } from '../protocol/blocks.js'
import { INDIRECT_SEGMENTS_LIMIT } from '../protocol/indirect.js'
import type { DiskLimits } from '../protocol/validate.js'

type Fields = Readonly<Record<string, unknown>>
interface Range {
  readonly from: number
  readonly to: number
}

/** Entries of the largest ring are 1024. */
const CORE_NUMBERS: Readonly<Record<string, Range>> = {
  slots: { from: 1, to: 4096 },
  batch: { from: 1, to: 65536 },
  arenaChunks: { from: 0, to: 65535 },
  reserveChunks: { from: 0, to: 65535 },
}
const DISK_NUMBERS: Readonly<Record<string, Range>> = {
  sectorCount: { from: 0, to: 2 ** 44 },
  sectorSize: { from: 512, to: 4096 },
  maxSegments: { from: 1, to: 256 },
}
/** Absent in journals of queues to which such requests were not offered. */
const SEGMENTS_BEYOND: Readonly<Record<string, Range>> = {
  maxIndirectSegments: { from: 0, to: INDIRECT_SEGMENTS_LIMIT },
  maxBlockSegments: { from: 0, to: BLOCK_SEGMENTS_LIMIT },
}
/** Segments of all slots together: what bounds the memory of a fold. */
const SEGMENTS_IN_ALL = 4096 * 256
const DISK_FLAGS = ['readOnly', 'offersFlush', 'offersBarrier', 'offersDiscard']

/** The settings, or what is wrong with them. */
export type SettingsResult =
  | { readonly ok: true; readonly settings: CoreSettings }
  | { readonly ok: false; readonly sentence: string }

/** Reads the `settings` of a queue journal's header. */
export function readCoreSettings(value: unknown): SettingsResult {
  const sentence = faultOf(value)
  return sentence === undefined ? { ok: true, settings: value as CoreSettings } : { ok: false, sentence }
}

function faultOf(value: unknown): string | undefined {
  if (!isFields(value)) return 'the header holds no settings of a queue'
  const { disk } = value
  if (!isFields(disk)) return 'the settings in the header describe no disk'
  const number = faultOfNumbers(value, CORE_NUMBERS) ?? faultOfNumbers(disk, DISK_NUMBERS)
  if (number !== undefined) return number
  const { maxIndirectSegments = 0, maxBlockSegments = 0 } = disk
  const beyond = faultOfNumbers({ maxIndirectSegments, maxBlockSegments }, SEGMENTS_BEYOND)
  if (beyond !== undefined) return beyond
  const most = Math.max(maxIndirectSegments as number, maxBlockSegments as number)
  if ((value.slots as number) * most > SEGMENTS_IN_ALL)
    return 'the settings in the header have more slots and segments than any queue'
  if (typeof value.buffered !== 'boolean') return 'the setting buffered in the header is neither true nor false'
  const { sectorSize } = disk as unknown as DiskLimits
  if ((sectorSize & (sectorSize - 1)) !== 0) return `a sector size of ${sectorSize} bytes is impossible`
  const flag = DISK_FLAGS.find((name) => typeof disk[name] !== 'boolean')
  return flag === undefined ? undefined : `the setting disk.${flag} in the header is neither true nor false`
}

function faultOfNumbers(fields: Fields, ranges: Readonly<Record<string, Range>>): string | undefined {
  for (const [name, { from, to }] of Object.entries(ranges)) {
    const value = fields[name]
    if (typeof value !== 'number' || !Number.isInteger(value) || value < from || value > to)
      return `the setting ${name} in the header is not a whole number from ${from} to ${to}`
  }
  return undefined
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null
}
