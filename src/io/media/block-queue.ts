/**
 * @packageDocumentation
 * What a block device can discard, as the kernel tells it in sysfs:
 *
 *   /sys/dev/block/MAJ:MIN/queue/discard_max_bytes      0 = cannot      (a partition's queue is its disk's: ../queue)
 *   /sys/dev/block/MAJ:MIN/queue/discard_granularity    bytes
 *   /sys/dev/block/MAJ:MIN/queue/write_zeroes_max_bytes 0 = zeroes must be sent like any data
 *   /sys/dev/block/MAJ:MIN/discard_alignment            bytes, of the partition itself
 */
import { existsSync, readFileSync } from 'node:fs'

/** Discard abilities; granularity and alignment in bytes. */
export interface BlockDiscard {
  readonly possible: boolean
  /** It writes zeroes by itself, without their being sent. */
  readonly zeroes: boolean
  readonly granularity: number
  readonly alignment: number
}

/** Asks sysfs about one device; without sysfs it is said to be unable. */
export function blockDiscard(major: number, minor: number, root = '/sys/dev/block'): BlockDiscard {
  const device = `${root}/${major}:${minor}`
  const queue = existsSync(`${device}/queue`) ? `${device}/queue` : `${device}/../queue`
  return {
    possible: numberIn(`${queue}/discard_max_bytes`) > 0,
    zeroes: numberIn(`${queue}/write_zeroes_max_bytes`) > 0,
    granularity: numberIn(`${queue}/discard_granularity`),
    alignment: numberIn(`${device}/discard_alignment`),
  }
}

function numberIn(path: string): number {
  try {
    const value = Number(readFileSync(path, 'utf8').trim())
    return Number.isSafeInteger(value) && value > 0 ? value : 0
  } catch {
    // No such attribute: the ability is not there.
    return 0
  }
}
