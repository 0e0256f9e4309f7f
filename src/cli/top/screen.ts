/**
 * @packageDocumentation
 * A terminal that shows one picture, renewed in place, and hears single keys: the other screen of the terminal, so that
 * what stood there before stands there afterwards. Lines are cut to the terminal's width, and what has no room below is
 * said to be missing.
 */
import type { ReadStream, WriteStream } from 'node:tty'
import { printable } from '../table.js'

const ENTER = '\x1b[?1049h\x1b[?25l'
const LEAVE = '\x1b[?25h\x1b[?1049l'
const HOME = '\x1b[H'
const CLEAR_LINE = '\x1b[K'
const CLEAR_BELOW = '\x1b[J'
const INTERRUPT = '\x03'

export class Screen {
  readonly #output: WriteStream
  readonly #input: ReadStream
  #lines: readonly string[] = []
  readonly #redraw = () => this.show(this.#lines)
  readonly #hear: (chunk: Buffer) => void

  /** @param onKey - gets every key; Ctrl-C is `q`. */
  constructor(output: WriteStream, input: ReadStream, onKey: (key: string) => void) {
    this.#output = output
    this.#input = input
    this.#hear = (chunk) => {
      for (const key of chunk.toString('utf8')) onKey(key === INTERRUPT ? 'q' : key)
    }
    output.write(ENTER)
    output.on('resize', this.#redraw)
    input.setRawMode(true)
    input.on('data', this.#hear)
    input.resume()
  }

  show(lines: readonly string[]): void {
    this.#lines = lines
    const { rows = 24, columns = 80 } = this.#output
    const missing = lines.length - rows + 1
    const more = `… ${missing} more lines: make the window taller`
    const shown = missing > 1 ? [...lines.slice(0, rows - 1), more] : lines
    const cut = shown.map((line) => [...printable(line)].slice(0, columns).join('') + CLEAR_LINE)
    this.#output.write(HOME + cut.join('\r\n') + CLEAR_BELOW)
  }

  /** Gives the terminal back. */
  close(): void {
    this.#input.off('data', this.#hear)
    this.#input.setRawMode(false)
    this.#input.pause()
    this.#output.off('resize', this.#redraw)
    this.#output.write(LEAVE)
  }
}
