/**
 * @packageDocumentation
 * The laws about a guest's pages: who may touch which bytes of them, when and how often. What is copied is held against
 * the ring entries that are unanswered, and of INDIRECT requests against the descriptors as they were read the first
 * time; a second reading, whatever it finds, is a breach.
 *
 *   no-grant-kept · descriptors-once · only-own-read (what goes to the guest)
 */
import { COPY_FROM_GUEST } from '../ports/data-path.js'
import type { BufferArena } from '../ports/data-path.js'
import { learnDescriptors } from './law-facts.js'
import type { DescriptorPage, Segment, Taken } from './law-facts.js'

/** A page of descriptors that is being copied. */
export interface DescriptorRead {
  readonly taken: Taken
  readonly page: DescriptorPage
}

/** Whom to tell. */
export interface GrantWitness {
  blame(law: 'no-grant-kept' | 'descriptors-once' | 'only-own-read', text: string): void
  /** Something goes into this part of the arena. */
  spoil(start: number, length: number): void
}

export class GrantLaws {
  arena: BufferArena | undefined
  frontEndGone = false
  private readonly byGref = new Map<number, Taken[]>()
  private readonly witness: GrantWitness

  constructor(witness: GrantWitness) {
    this.witness = witness
  }

  /** From now on the request may touch these. */
  own(taken: Taken, named: readonly { readonly gref: number }[]): void {
    for (const { gref } of named) this.byGref.set(gref, [...(this.byGref.get(gref) ?? []), taken])
  }

  /** It was answered, or it never happened. */
  forget(taken: Taken): void {
    for (const { gref } of [...taken.segments, ...taken.descriptors]) {
      const owners = (this.byGref.get(gref) ?? []).filter((owner) => owner !== taken)
      if (owners.length > 0) this.byGref.set(gref, owners)
      else this.byGref.delete(gref)
    }
  }

  /** A copy is about to be made. @returns the page of descriptors that it reads. */
  noteCopy(copies: Int32Array, at: number): DescriptorRead | undefined {
    const { witness } = this
    const gref = copies[at] >>> 0
    if (this.frontEndGone) return void witness.blame('no-grant-kept', `gref ${gref} is touched, its front end is gone`)
    const owners = this.byGref.get(gref) ?? []
    if (owners.length === 0)
      return void witness.blame('no-grant-kept', `gref ${gref} is touched, no unanswered request names it`)
    return this.describedBy(copies, at, owners) ?? void this.noteData(copies, at, owners)
  }

  private noteData(copies: Int32Array, at: number, owners: readonly Taken[]): void {
    const gref = copies[at] >>> 0
    const offset = copies[at + 1] & 0xffff
    const length = copies[at + 1] >>> 16
    const start = copies[at + 2]
    const names = (segment: Segment) => namesBytes(segment, copies, at)
    const naming = owners.filter(({ segments }) => segments.some(names))
    const bytes = `bytes ${offset}+${length} of gref ${gref}`
    if (naming.length === 0) return this.witness.blame('no-grant-kept', `${bytes} are touched, no segment names them`)
    if (copies[at + 3] === COPY_FROM_GUEST) return this.witness.spoil(start, length)
    const filled = naming.some((owner) => owner.segments.some((segment) => {
      const data = segment.at + offset - segment.offset
      return names(segment) && owner.filled.some((part) =>
        data >= part.at && data + length <= part.at + part.length && start === part.arenaAt + data - part.at)
    }))
    if (filled) return
    this.witness.blame('only-own-read', `${bytes} get what lies at ${start}, no whole read filled that`)
  }

  /** It was made. */
  noteRead({ taken, page }: DescriptorRead, copies: Int32Array, at: number): void {
    if (copies[at + 3] !== 0 || this.arena === undefined || page.words !== undefined) return
    const from = copies[at + 2]
    const bytes = this.arena.bytes.slice(from, from + page.length)
    page.words = new Int32Array(bytes.buffer)
    learnDescriptors(taken)
    this.own(taken, taken.segments)
  }

  /** @returns the page of descriptors that is read with this copy, and whose. */
  private describedBy(copies: Int32Array, at: number, owners: readonly Taken[]): DescriptorRead | undefined {
    const gref = copies[at] >>> 0
    const named = owners.flatMap((taken) =>
      taken.descriptors.filter((page) => page.gref === gref).map((page) => ({ taken, page })))
    const isWhole = ({ page }: DescriptorRead) =>
      copies[at + 1] === page.length << 16 && copies[at + 3] === COPY_FROM_GUEST
    const unread = named.find((read) => !read.page.asked && isWhole(read))
    if (unread) unread.page.asked = true
    if (unread || named.length === 0) return unread
    // A guest may name one page as both.
    if (owners.some(({ segments }) => segments.some((segment) => namesBytes(segment, copies, at)))) return undefined
    const [read] = named
    const whose = `the descriptors of ${read.taken.key}`
    const blame = (text: string) => this.witness.blame('descriptors-once', `${whose} in gref ${gref} ${text}`)
    if (!named.some(isWhole)) blame('are not read as what they are')
    if (read.page.asked) blame('are read again')
    return read
  }
}

/** Whether the segment names the guest's bytes of this copy. */
function namesBytes(segment: Segment, copies: Int32Array, at: number): boolean {
  const offset = copies[at + 1] & 0xffff
  const length = copies[at + 1] >>> 16
  if (segment.gref !== copies[at] >>> 0 || offset < segment.offset) return false
  return offset + length <= segment.offset + segment.length
}
