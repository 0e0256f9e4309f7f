/**
 * @packageDocumentation
 * What a world knows of its front end, of whatever manners: it puts entries on the ring, consumes answers, and counts.
 */
import type { RunDigest } from './digest.js'

export interface SimFront {
  /** What it found wrong; a hostile one finds nothing. */
  readonly complaints: readonly string[]
  /** Requests that wait for an answer; of a hostile one those that it would be right to wait for. */
  readonly outstanding: { readonly size: number }
  readonly answered: number
  /** Answers that were no success. */
  readonly errors: number
  /** Entries put, and those of which something was a lie. */
  readonly entries: number
  readonly lies: number
  /** Of all that it saw. */
  readonly digest: RunDigest
  /** Puts up to `count` requests on the ring. @returns whether the back end wants to be told. */
  put(count: number): boolean
  /** Consumes answers. @returns how many. */
  consume(): number
  /** The disk has another size, and XenStore says so. */
  resized(sectors: number): void
}
