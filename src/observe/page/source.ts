/**
 * @packageDocumentation
 * Where a page's data comes from: a recording, or a daemon that runs. Both have journals; only the second has a now,
 * and then what it says of itself is newer than any journal. Nothing is looked at but when somebody asks.
 *
 *   recording   the files as they were when they were opened
 *   daemon      the same files, followed when the last look is older than a moment, and rows by list and statistics
 */
import type { JournalFiles } from '../../journal/journal-files.js'
import type { RingLook } from '../../ports/host.js'
import { Shelf } from './screen.js'
import type { DeviceRow } from './types.js'

/** What only a daemon that runs can say. */
export interface Present {
  nowNs(): number
  /** Rows for all devices, from lists and counters. */
  rows(): readonly DeviceRow[]
  rings(): readonly RingLook[]
}

export interface Source {
  readonly title: string
  readonly version: string
  /** Absent: a recording. */
  readonly present?: Present
  /** The journals as they are. */
  shelf(): Shelf
  /** How much of one answer may be spent on summing up what is not known yet. */
  readonly budgetNs: number
}

/** A recording: opened once. */
export function recordingSource(title: string, version: string, files: JournalFiles): Source {
  const shelf = new Shelf(files)
  return { title, version, shelf: () => shelf, budgetNs: 120e6 }
}

/** Journals of a daemon are looked at again when the last look is older than this. */
const FRESH_NS = 400e6

/** What is now is looked at again and again: no further back than it takes to know since when requests stand. */
const RUN_UPS = [0, 1, 8, 64]

/** A daemon that runs. `look` reads the headers of its journals. */
export function daemonSource(
  title: string, version: string, present: Present, look: () => JournalFiles,
): Source {
  let shelf: Shelf | undefined
  let openedNs = -Infinity
  return {
    title, version, present,
    shelf() {
      const now = present.nowNs()
      if (shelf === undefined || now - openedNs > FRESH_NS) {
        if (shelf === undefined) shelf = new Shelf(look(), RUN_UPS)
        else shelf.follow(look())
        openedNs = now
      }
      return shelf
    },
    budgetNs: 8e6,
  }
}
