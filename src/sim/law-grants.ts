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
    const names = (segment: Segment) =>
      segment.gref === gref && offset >= segment.offset && offset + length <= segment.offset + segment.length
    const owner = owners.find(({ segments }) => segments.some(names))
    const bytes = `bytes ${offset}+${length} of gref ${gref}`
    if (owner === undefined) return this.witness.blame('no-grant-kept', `${bytes} are touched, no segment names them`)
    if (copies[at + 3] === COPY_FROM_GUEST) return this.witness.spoil(start, length)
    const filled = owner.segments.some((segment) => {
      const data = segment.at + offset - segment.offset
      return names(segment) && owner.filled.some((part) =>
        data >= part.at && data + length <= part.at + part.length && start === part.arenaAt + data - part.at)
    })
    if (filled) return
    this.witness.blame('only-own-read', `${bytes} get what lies at ${start}, no whole read of ${owner.key} filled it`)
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
    for (const taken of owners) {
      const page = taken.descriptors.find((candidate) => candidate.gref === gref)
      if (page === undefined) continue
      const whole = copies[at + 1] === page.length << 16 && copies[at + 3] === COPY_FROM_GUEST
      const whose = `the descriptors of ${taken.key}`
      if (!whole) this.witness.blame('descriptors-once', `${whose} in gref ${gref} are not read as what they are`)
      if (page.words !== undefined) this.witness.blame('descriptors-once', `${whose} are read again`)
      return { taken, page }
    }
    return undefined
  }
}
