/**
 * @packageDocumentation
 * The two streams a command writes to. What was asked for goes to standard output, everything about it (errors,
 * progress, hints) to standard error, so that `xbbd list --json | jq` works whatever happens. Colours only where a
 * person looks: a terminal, without NO_COLOR, not TERM=dumb. Text from guests and daemons passes through `printable`.
 */
import { printable } from './table.js'

/** Where a command writes; tests give their own. */
export interface Terminal {
  /** Results, exactly as given. */
  out(text: string): void
  /** The same for what is no text. */
  outBytes(bytes: Uint8Array): void
  /** Text for standard error, exactly as given. */
  err(text: string): void
  /** One line about what happens, `xbbd: ` before it. */
  note(sentence: string): void
  /** Replaces the line that stands under the cursor, '' removes it; does nothing where nobody looks. */
  status(sentence: string): void
  /** Standard error is a terminal. */
  readonly interactive: boolean
}

interface Stream {
  readonly isTTY?: boolean
  write(text: string | Uint8Array): unknown
}

/** The terminal of this process, or of whatever streams are given. */
export function terminalOn(stdout: Stream, stderr: Stream, env: NodeJS.ProcessEnv): Terminal {
  const colours = !env.NO_COLOR && env.TERM !== 'dumb'
  const interactive = stderr.isTTY === true && env.TERM !== 'dumb'
  let line = false
  const clear = () => {
    if (line) stderr.write('\r\x1b[K')
    line = false
  }
  return {
    interactive,
    out(text) {
      clear()
      stdout.write(text)
    },
    outBytes(bytes) {
      clear()
      stdout.write(bytes)
    },
    err(text) {
      clear()
      stderr.write(text)
    },
    note(sentence) {
      clear()
      const prefix = stderr.isTTY && colours ? '\x1b[1mxbbd:\x1b[0m' : 'xbbd:'
      stderr.write(`${prefix} ${printable(sentence)}\n`)
    },
    status(sentence) {
      if (!interactive) return
      clear()
      if (sentence === '') return
      stderr.write(printable(sentence))
      line = true
    },
  }
}
