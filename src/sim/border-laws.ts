/**
 * @packageDocumentation
 * The laws that hold whatever the front end does, also where it gives two requests one id, so that nobody could say
 * which of them an answer is for. Like those of laws.ts they look at the borders only, and believe no record.
 *
 *   answered-once   of each id and operation no more answers than entries were taken; in the end as many
 *   inside-image    I/O stays within the medium and the arena, on whole sectors; what is read-only is not written
 *   bounded         never more I/Os in flight than the pool can cause
 */
import { layered } from '../actors/port-layer.js'
import type { CoreSettings } from '../core/queue-core.js'
import { ANSWER_WORDS, IO_READ, IO_SYNC, IO_WORDS, IO_WRITE } from '../ports/data-path.js'
import type { BackRing, BufferArena, MediumPort } from '../ports/data-path.js'
import type { AbiLayout } from '../protocol/abi.js'
import { BLKIF_OP_INDIRECT } from '../protocol/blkif.js'
import type { Law } from './laws.js'

type Blame = (law: Law, text: string) => void

export class BorderLaws {
  /** Bytes of the medium at its largest. */
  imageBytes: number
  /** Entries taken and not answered, by id and operation. */
  private readonly owed = new Map<string, number>()
  private owedCount = 0
  /** Taken since the last batch was sealed: a death undoes that. */
  private readonly unsealed: string[] = []
  private arena: BufferArena | undefined
  private readonly settings: CoreSettings
  private readonly layout: AbiLayout
  private readonly blame: Blame

  constructor(settings: CoreSettings, layout: AbiLayout, imageBytes: number, blame: Blame) {
    this.settings = settings
    this.layout = layout
    this.imageBytes = imageBytes
    this.blame = blame
  }

  serve(arena: BufferArena): void {
    this.arena = arena
  }

  watchRing(ring: BackRing): BackRing {
    return layered(ring, {
      take: (reqCons, rspProd, max, whole) => {
        const count = ring.take(reqCons, rspProd, max, whole)
        for (let index = 0; index < count; index++) this.noteTaken(ring.entries, index * ring.entryWords)
        return count
      },
      answer: (answers, count, rspProd) => {
        for (let index = 0; index < count; index++) this.noteAnswer(answers, index * ANSWER_WORDS)
        return ring.answer(answers, count, rspProd)
      },
    })
  }

  watchMedium(medium: MediumPort): MediumPort {
    return layered(medium, {
      submit: (requests, count) => {
        for (let index = 0; index < count; index++) this.judgeIo(requests, index * IO_WORDS)
        const taken = medium.submit(requests, count)
        const most = this.settings.slots + this.settings.arenaChunks
        if (medium.inFlight > most) this.blame('bounded', `${medium.inFlight} I/Os in flight, ${most} at most can be`)
        return taken
      },
    })
  }

  /** A batch was sealed: what was taken for it is taken. */
  sealed(): void {
    this.unsealed.length = 0
  }

  /** The back end died: what it had taken and not sealed will be taken again. */
  crashed(): void {
    for (const key of this.unsealed.splice(0)) this.add(key, -1)
  }

  /** `abandoned`: how many the queue counted as ended without an answer. */
  drained(abandoned: number): void {
    if (this.owedCount === abandoned) return
    this.blame('answered-once', `${this.owedCount} entries were not answered, ${abandoned} are counted as abandoned`)
  }

  private noteTaken(entries: Int32Array, at: number): void {
    const head = entries[at]
    const op = (head & 0xff) === BLKIF_OP_INDIRECT ? (head >>> 8) & 0xff : head & 0xff
    const id = at + this.layout.idWord
    const key = `${entries[id] >>> 0}:${entries[id + 1] >>> 0}:${op}`
    this.add(key, 1)
    this.unsealed.push(key)
  }

  private noteAnswer(answers: Int32Array, at: number): void {
    const key = `${answers[at] >>> 0}:${answers[at + 1] >>> 0}:${answers[at + 2]}`
    if ((this.owed.get(key) ?? 0) > 0) this.add(key, -1)
    else this.blame('answered-once', `an answer (id and operation ${key}) that no entry asked for`)
  }

  private add(key: string, count: number): void {
    const now = (this.owed.get(key) ?? 0) + count
    if (now === 0) this.owed.delete(key)
    else this.owed.set(key, now)
    this.owedCount += count
  }

  private judgeIo(requests: Int32Array, at: number): void {
    const op = requests[at]
    if (op === IO_SYNC) return
    const arenaAt = requests[at + 2]
    const length = (requests[at + 3] >>> 0) + (requests[at + 6] >>> 0) * 4294967296
    const offset = (requests[at + 4] >>> 0) + (requests[at + 5] >>> 0) * 4294967296
    const what = `I/O ${op} of ${length} bytes at ${offset}`
    const sector = this.settings.disk.sectorSize
    if (offset + length > this.imageBytes) this.blame('inside-image', `${what} leaves the medium`)
    if (length === 0 || length % sector !== 0 || offset % sector !== 0)
      this.blame('inside-image', `${what} is not made of whole sectors`)
    if (op !== IO_READ && this.settings.disk.readOnly) this.blame('inside-image', `${what} changes a read-only medium`)
    const data = this.arena?.dataBytes ?? 0
    if ((op === IO_READ || op === IO_WRITE) && (arenaAt < 0 || arenaAt + length > data))
      this.blame('inside-image', `${what} leaves the arena: ${arenaAt}`)
  }
}
