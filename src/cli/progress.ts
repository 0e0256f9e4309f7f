/**
 * @packageDocumentation
 * Nobody should look at a silent cursor. Whatever takes longer than two seconds says what it waits for and since
 * when: a line that renews itself on a terminal, a line every ten seconds elsewhere. What ends sooner prints nothing.
 */
import type { Terminal } from './terminal.js'

const SILENT_MS = 2000
const INTERACTIVE_MS = 500
const PLAIN_MS = 10_000

/** Runs `work` and meanwhile shows `describe()`, asked anew each time. The result or error of `work` is passed on. */
export async function withProgress<T>(terminal: Terminal, describe: () => string, work: Promise<T>): Promise<T> {
  const began = performance.now()
  const show = () => {
    const sentence = `${describe()} (${Math.round((performance.now() - began) / 1000)} s)`
    if (terminal.interactive) terminal.status(sentence)
    else terminal.note(sentence)
  }
  let ticking: NodeJS.Timeout | undefined
  const first = setTimeout(() => {
    show()
    ticking = setInterval(show, terminal.interactive ? INTERACTIVE_MS : PLAIN_MS)
  }, SILENT_MS)
  try {
    return await work
  } finally {
    clearTimeout(first)
    clearInterval(ticking)
    terminal.status('')
  }
}

/**
 * The same for work that gives the event loop no turn: whoever does it calls the function now and then, which shows
 * `describe()` when it is time to. What stands on a terminal is removed by the next thing that is written.
 */
export function progressBetween(terminal: Terminal): (describe: () => string) => void {
  const began = performance.now()
  let due = began + SILENT_MS
  return (describe) => {
    const now = performance.now()
    if (now < due) return
    due = now + (terminal.interactive ? INTERACTIVE_MS : PLAIN_MS)
    const sentence = `${describe()} (${Math.round((now - began) / 1000)} s)`
    if (terminal.interactive) terminal.status(sentence)
    else terminal.note(sentence)
  }
}
