/**
 * @packageDocumentation
 * Asynchronous work of one actor, one piece after the other, none of it floating: XenStore is read and written by a
 * device in the order in which its chart asked. A piece that rejects is handed to `failed`, and the next begins.
 */
export class Serial {
  readonly #failed: (error: unknown) => void
  #tail: Promise<void> = Promise.resolve()

  constructor(failed: (error: unknown) => void) {
    this.#failed = failed
  }

  /** Runs `job` after everything that was given before. @returns when it has ended, well or badly. */
  run(job: () => Promise<void>): Promise<void> {
    const done = this.#tail.then(job).catch((error: unknown) => this.#failed(error))
    this.#tail = done
    return done
  }

  /** When everything given so far, and what that gave, has ended. */
  async idle(): Promise<void> {
    for (let seen: Promise<void> | undefined; seen !== this.#tail; ) {
      seen = this.#tail
      await seen
    }
  }
}
