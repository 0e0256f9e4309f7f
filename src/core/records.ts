/**
 * @packageDocumentation
 * The records of a queue's journal, word by word. They are written where they will stay (straight into the open batch)
 * and the core folds them from there: the live queue and the replay read the same bytes, so there is no second copy of
 * an input that could differ. Every record is a multiple of 8 bytes; its first word carries the kind in the low byte.
 *
 *   inputs                                                                                     words
 *   TAKEN       kind|op|nseg|flag · slot|handle · id · sector · first segment [· segments]     8 + 2 per further one
 *   INTAKE      kind · req_prod as seen                                                        2
 *   COMPLETED   kind|0|slot · token · result · 0                                               4
 *   COPIED      kind|failed requests · copies in all [· which request · status of its first]   2 + 2 per failed
 *   LENT        kind|count · 0 [· chunk]                                                       2 + count, made even
 *   RECALLED    kind · chunks wanted back                                                      2
 *   COMMAND     kind|code · argument                                                           2
 *   INDIRECT    kind|op|nseg · slot|handle · id · sector · descriptors|pages · status · grefs of the pages · segments
 *               8 + pages, made even, + 2 per descriptor
 *   LONG        kind|op|nseg · slot|handle · id · sector · segments that follow · 0 · segments   8 + 2 per segment
 *   ALLOWED     kind|count · bytes: so many more of the line are within the rate limit          2
 *   effects (the replay compares them with what it derives itself)
 *   ENTERED     kind|from|to|reason · count of such entries                                    2
 *   ANSWERED    kind|count · rsp_prod before · slot|status, two to a word pair                 2 + count, made even
 *   RETURNED    kind|count · 0 [· chunk]                                                       2 + count, made even
 *   STEPPED     kind|event|slot · from|to  (journal = full only)                               2
 *   CHECKPOINT  kind · words in all · the core's state                                         see checkpoint.ts
 */
import {
  RECORD_INDIRECT, RECORD_LONG, RECORD_MIN_WORDS, RECORD_TAKEN, recordWords as takenWords,
} from '../protocol/record.js'

export { RECORD_INDIRECT, RECORD_LONG, RECORD_TAKEN }
export const RECORD_INTAKE = 2
export const RECORD_COMPLETED = 3
export const RECORD_COPIED = 4
export const RECORD_LENT = 5
export const RECORD_RECALLED = 6
export const RECORD_COMMAND = 7
export const RECORD_ALLOWED = 10
export const RECORD_ENTERED = 16
export const RECORD_ANSWERED = 17
export const RECORD_RETURNED = 18
export const RECORD_STEPPED = 19
export const RECORD_CHECKPOINT = 20
/** Rare kinds: a CBOR map follows; w0 = kind, w1 = bytes, padded to 8. */
export const RECORD_EVENT = 32
export const RECORD_STATE = 33

export const RECORD_NAMES: { readonly [kind: number]: string } = {
  [RECORD_TAKEN]: 'taken',
  [RECORD_INTAKE]: 'intake',
  [RECORD_COMPLETED]: 'completed',
  [RECORD_COPIED]: 'copied',
  [RECORD_LENT]: 'lent',
  [RECORD_RECALLED]: 'recalled',
  [RECORD_COMMAND]: 'command',
  [RECORD_INDIRECT]: 'indirect',
  [RECORD_LONG]: 'long',
  [RECORD_ALLOWED]: 'allowed',
  [RECORD_ENTERED]: 'entered',
  [RECORD_ANSWERED]: 'answered',
  [RECORD_RETURNED]: 'returned',
  [RECORD_STEPPED]: 'stepped',
  [RECORD_CHECKPOINT]: 'checkpoint',
  [RECORD_EVENT]: 'event',
  [RECORD_STATE]: 'state',
}

/** Codes of COMMAND: what the device asks of its queue, and what the shell found out about the ring. */
export const COMMAND_ATTACH = 1
export const COMMAND_DRAIN = 2
export const COMMAND_ABANDON = 3
export const COMMAND_DETACH = 4
/** The producer index exceeded the ring; the argument is the value seen. */
export const COMMAND_RING_BROKEN = 5
/** The medium was opened anew: a lost sync is forgiven. The argument is its size in sectors, low word. */
export const COMMAND_MEDIUM_OPENED = 6
/** Stands before MEDIUM_OPENED and MEDIUM_RESIZED when the size needs it: its high word. */
export const COMMAND_MEDIUM_SIZE_HIGH = 7
/** A successor goes on where its journal ended; the argument is the rsp_prod that it found in the ring. */
export const COMMAND_RECOVERED = 8
/** Whatever waits for space on the medium is tried again. */
export const COMMAND_RETRY = 9
/** Another process takes over, as things are: nothing more is taken or begun. */
export const COMMAND_YIELD = 10
/** The medium that is open has another size: nothing is forgiven. The argument as with MEDIUM_OPENED. */
export const COMMAND_MEDIUM_RESIZED = 11
/** Stands before MEDIUM_OPENED when that has other sectors than the medium before it: bytes of one. */
export const COMMAND_MEDIUM_SECTOR_SIZE = 12
/** The device's rate limit from now on: the argument is operations a second, 0 = none. */
export const COMMAND_LIMIT_OPERATIONS = 13
/** As above, KiB a second, rounded up; the exact figure is the shell's affair. */
export const COMMAND_LIMIT_KIBIBYTES = 14

/** Argument of DRAIN: what waits for space is answered with an error, now and from now on. */
export const DRAIN_WITHOUT_SPACE = 1

export const COMMAND_NAMES: { readonly [code: number]: string } = {
  [COMMAND_ATTACH]: 'attach',
  [COMMAND_DRAIN]: 'drain',
  [COMMAND_ABANDON]: 'abandon',
  [COMMAND_DETACH]: 'detach',
  [COMMAND_RING_BROKEN]: 'ringBroken',
  [COMMAND_MEDIUM_OPENED]: 'mediumOpened',
  [COMMAND_MEDIUM_SIZE_HIGH]: 'mediumSizeHigh',
  [COMMAND_RECOVERED]: 'recovered',
  [COMMAND_RETRY]: 'retry',
  [COMMAND_YIELD]: 'yield',
  [COMMAND_MEDIUM_RESIZED]: 'mediumResized',
  [COMMAND_MEDIUM_SECTOR_SIZE]: 'mediumSectorSize',
  [COMMAND_LIMIT_OPERATIONS]: 'limitOperations',
  [COMMAND_LIMIT_KIBIBYTES]: 'limitKibibytes',
}

/** Why a queue is in Shortage, or Throttled: the fourth byte of ENTERED. */
export const SHORT_OF_NOTHING = 0
export const SHORT_OF_SLOTS = 1
export const SHORT_OF_BUFFERS = 2
export const SHORT_OF_SPACE = 3
export const SHORT_OF_TOKENS = 4
export const SHORTAGE_NAMES = ['nothing', 'slots', 'buffers', 'space', 'tokens'] as const

/**
 * Words of the record that starts at `at`; 0 when `available` words cannot hold it or the kind is unknown: the reader
 * then stops with a clear error, since everything behind it is unreadable.
 */
export function recordWords(words: Int32Array, at: number, available: number): number {
  if (available < 2) return 0
  const size = sizeOf(words, at, available)
  return size <= available ? size : 0
}

function sizeOf(words: Int32Array, at: number, available: number): number {
  const head = words[at]
  switch (head & 0xff) {
    case RECORD_TAKEN:
      return takenWords(words, at)
    case RECORD_INDIRECT:
    case RECORD_LONG:
      return available < RECORD_MIN_WORDS ? Infinity : takenWords(words, at)
    case RECORD_INTAKE:
    case RECORD_RECALLED:
    case RECORD_COMMAND:
    case RECORD_ALLOWED:
    case RECORD_ENTERED:
    case RECORD_STEPPED:
      return 2
    case RECORD_COMPLETED:
      return 4
    case RECORD_COPIED:
      return 2 + 2 * (head >>> 16)
    case RECORD_LENT:
    case RECORD_RETURNED:
    case RECORD_ANSWERED:
      return 2 + (((head >>> 16) + 1) & ~1)
    case RECORD_CHECKPOINT:
      return boundedWords(words[at + 1])
    case RECORD_EVENT:
    case RECORD_STATE:
      return words[at + 1] < 0 ? Infinity : boundedWords(2 + (((words[at + 1] + 7) >>> 3) << 1))
    default:
      return Infinity
  }
}

function boundedWords(count: number): number {
  return count >= 2 && count < 1 << 24 && (count & 1) === 0 ? count : Infinity
}
