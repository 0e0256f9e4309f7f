/**
 * @packageDocumentation
 * Collects results and shows them as they come: one line each, reasons indented below, the sum last.
 */
import { writeFileSync } from 'node:fs'

export interface Result {
  readonly boot: string
  readonly name: string
  readonly ms: number
  readonly error: string | undefined
  /** What it said on the way. */
  readonly log: readonly string[]
}

export class Report {
  readonly results: Result[] = []
  readonly #began = performance.now()
  readonly #write: (text: string) => void

  constructor(write: (text: string) => void) {
    this.#write = write
  }

  heading(text: string): void {
    this.#write(`${text}\n`)
  }

  log(text: string): void {
    this.#write(`      ${text}\n`)
  }

  add(result: Result): void {
    this.results.push(result)
    const { name, ms, error } = result
    this.#write(`  ${error === undefined ? 'ok  ' : 'FAIL'}  ${name}  (${(ms / 1000).toFixed(1)} s)\n`)
    if (error !== undefined) this.#write(`${error.replace(/^/gm, '        ')}\n`)
  }

  get failed(): number {
    return this.results.filter(({ error }) => error !== undefined).length
  }

  /** The failures once more, and the line that a script reads. */
  finish(json: string | undefined): void {
    const failures = this.results.filter(({ error }) => error !== undefined)
    if (failures.length > 0) this.#write('\nfailed:\n')
    for (const { boot, name, error } of failures)
      this.#write(`  ${boot}: ${name}: ${error?.split('\n')[0]}\n`)
    if (json !== undefined) writeFileSync(json, `${JSON.stringify({ results: this.results }, null, 2)}\n`)
    this.#write(`\n${Math.round((performance.now() - this.#began) / 1000)} s with building, booting and replaying\n`)
    this.#write(`${this.results.length - this.failed} passed, ${this.failed} failed\n`)
  }
}
