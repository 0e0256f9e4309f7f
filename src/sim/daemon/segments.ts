/**
 * @packageDocumentation
 * The journals' memory of a simulated machine: segments that outlive processes, as files on a tmpfs do. A process maps
 * them; when it dies, what stands there at that moment is what its successor finds, whatever the dead one's code, cut
 * off from the world, goes on to scribble into its own copy.
 */
import type { LegacySegment } from '../../actors/legacies.js'
import type { SegmentSource } from '../../journal/batch-writer.js'
import { readHeader, readSequence } from '../../journal/segment-reader.js'
import { SegmentTable } from '../../journal/segment-table.js'
import type { RecoveryLedger } from '../../ports/queues.js'
import type { Life } from './life.js'

/** In words: small ones for the rare, large ones for the busy. */
const SMALL_WORDS = 4096
const LARGE_WORDS = 8192

/** What a process leaves: the words of every segment. */
export type Left = readonly Int32Array[]

export const emptySegments = (small: number, large: number): Left =>
  [...new Array<number>(small).fill(SMALL_WORDS), ...new Array<number>(large).fill(LARGE_WORDS)]
    .map((words) => new Int32Array(words))

/** The pool as one process has it. */
export class SimPool {
  readonly table: SegmentTable
  readonly words: Left
  readonly #life: Life

  constructor(words: Left, life: Life) {
    this.words = words
    this.#life = life
    this.table = new SegmentTable(words.map(({ length }) => ({ words: length })))
  }

  source(journal: number): SegmentSource {
    return {
      next: (_, atLeastWords) => {
        if (!this.#life.acts('segment')) return { words: new Int32Array((atLeastWords + 1) & ~1), sequence: 1 }
        const given = this.table.next(journal, atLeastWords)
        return given && { words: this.words[given.segment], sequence: given.sequence }
      },
    }
  }

  /** What queues of others left; it becomes this process' own to recycle, but for the newest of each. */
  adopt(): LegacySegment[] {
    const newest = new Map<string, { index: number; sequence: number }>()
    this.words.forEach((words, index) => {
      const sequence = readSequence(words)
      if (sequence !== undefined) this.table.adopt(index, sequence)
      const read = readHeader(words)
      if (!read.ok || read.header.identity.kind !== 'queue') return
      const { journal } = read.header.identity
      if (read.header.sequence > (newest.get(journal)?.sequence ?? -1))
        newest.set(journal, { index, sequence: read.header.sequence })
    })
    return [...newest].map(([queue, { index }]) => this.#hold(queue, index))
  }

  /** The newest segment that the writer with this number wrote for `queue`. */
  leave(journal: number, queue: string): LegacySegment | undefined {
    const index = this.table.segmentsOf(journal).find((at) => {
      const read = readHeader(this.words[at])
      return read.ok && read.header.identity.journal === queue
    })
    return index === undefined ? undefined : this.#hold(queue, index)
  }

  #hold(queue: string, index: number): LegacySegment {
    this.table.hold(index)
    return { queue, words: this.words[index].slice(), letGo: () => this.table.letGo(index) }
  }
}

/** Attempts, kept where the next process finds them. */
export class SimLedger implements RecoveryLedger {
  readonly #attempts = new Map<string, number>()

  attempts(queue: string): number {
    return this.#attempts.get(queue) ?? 0
  }

  begun(queue: string): void {
    this.#attempts.set(queue, this.attempts(queue) + 1)
  }

  survived(queue: string): void {
    this.#attempts.delete(queue)
  }
}
