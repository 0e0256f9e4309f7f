/**
 * @packageDocumentation
 * The words of the language, each once: what reads scripts and what prints them look here, so that neither knows a word
 * that the other does not. Operations and states are those of the wire under the names that people use.
 */
import * as blkif from '../protocol/blkif.js'

/** Operations by name; every other is `op NUMBER`. `indirect` is followed by its inner one. */
export const OPERATIONS: Readonly<Record<string, number>> = {
  read: blkif.BLKIF_OP_READ,
  write: blkif.BLKIF_OP_WRITE,
  barrier: blkif.BLKIF_OP_WRITE_BARRIER,
  flush: blkif.BLKIF_OP_FLUSH_DISKCACHE,
  discard: blkif.BLKIF_OP_DISCARD,
}

export const STATUSES: Readonly<Record<string, number>> = {
  okay: blkif.BLKIF_RSP_OKAY,
  error: blkif.BLKIF_RSP_ERROR,
  unsupported: blkif.BLKIF_RSP_EOPNOTSUPP,
}

export const STATEMENTS = [
  'abi', 'disk', 'setting', 'connect', 'rings', 'keys', 'key', 'state', 'page', 'fill', 'grant', 'revoke', 'put',
  'stage', 'publish', 'notify', 'index', 'poke', 'expect', 'wait', 'kill', 'stop', 'start', 'close', 'vanish', 'repeat',
  'end',
] as const

/** What follows a request's operation, in the order in which it is printed. */
export const CLAUSES = [
  'at', 'sectors', 'segments', 'fill', 'flag', 'descriptors', 'nr-segments', 'id', 'handle', 'queue', 'as',
] as const

/** What `expect` can be followed by beside names. */
export const EXPECTATIONS = ['state', 'key', 'data', 'mapped', 'unmapped', 'index'] as const

export const DISK_WORDS = ['size', 'sector-size', 'read-only', 'without', 'slow', 'fails', 'well'] as const

/** What `mapped` and `unmapped` call the first ring. */
export const RING = 'ring'

/** Names of pages and requests that would be taken for something else. */
export const RESERVED: ReadonlySet<string> = new Set<string>([
  ...CLAUSES, ...EXPECTATIONS, ...Object.keys(STATUSES), 'unanswered', 'within', 'for', RING,
])

/** How pages and requests may be called. */
export const NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/

export const SIZE_UNITS: Readonly<Record<string, number>> = { '': 1, K: 1024, M: 1024 ** 2, G: 1024 ** 3, T: 1024 ** 4 }
/** In microseconds. */
export const TIME_UNITS: Readonly<Record<string, number>> = { us: 1, ms: 1000, s: 1_000_000, m: 60_000_000 }

/** Errnos by which a disk fails, by name. */
export const ERRNOS: Readonly<Record<string, number>> = { EIO: 5, ENXIO: 6, ENOSPC: 28, ETIMEDOUT: 110, EDQUOT: 122 }
