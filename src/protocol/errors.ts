/**
 * @packageDocumentation
 * The three kinds of error that are thrown here (a guest's nonsense is a value and never thrown):
 *
 *   XbbdError       an operator's mistake or a failing surrounding: one sentence that says what to do, a stable code
 *                   (`XBBD_…`; an errno's name where a front end's call fails as on a real disk) and the exit
 *                   status (sysexits) with which the command line ends
 *   XbbdAssertion   a broken invariant: our own fault; it ends the actor in which it is thrown, and nothing else
 *   everything else comes from outside (Node, the addon) and carries `code`
 *
 * `instanceof` is answered by a brand, because errors may cross realms (Workers, test runners).
 */
const brand = Symbol.for('xbbd.error')

/**
 * `exitCode` as in sysexits.h: usage 64 · data 65 · no input 66 · unavailable 69 · software 70 (the default) · OS 71 ·
 * can't create 73 · I/O 74 · not now 75 · protocol 76 · not allowed 77 · configuration 78.
 */
export class XbbdError extends Error {
  readonly code: string
  readonly exitCode: number
  readonly [brand] = true

  constructor(code: string, sentence: string, options: { cause?: unknown; exitCode?: number } = {}) {
    super(sentence, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'XbbdError'
    this.code = code
    this.exitCode = options.exitCode ?? 70
  }

  static override [Symbol.hasInstance](value: unknown): boolean {
    return typeof value === 'object' && value !== null && brand in value
  }
}

/** A broken invariant. */
export class XbbdAssertion extends Error {
  readonly code = 'XBBD_ASSERTION'

  constructor(message: string) {
    super(`broken invariant: ${message}`)
    this.name = 'XbbdAssertion'
  }
}

/** Throws {@link XbbdAssertion} unless `condition` holds. For our own faults only, never for input. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new XbbdAssertion(message)
}

/** The `code` of whatever was thrown (`EIO`, `EAGAIN`, …), or undefined. */
export function codeOf(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined
  return typeof error.code === 'string' ? error.code : undefined
}

/** The message of whatever was thrown. */
export function sentenceOf(error: unknown): string {
  return typeof error === 'object' && error !== null && 'message' in error ? String(error.message) : String(error)
}
