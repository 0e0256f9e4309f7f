/**
 * @packageDocumentation
 * Something that can die between any two of its effects: a process of the daemon, or one of its Workers. Its code is
 * not stopped by that (it is JavaScript in this thread), but it is cut off: every port asks `acts` before it does
 * anything outside, and a dead one's calls come to nothing.
 *
 *   port ─ acts('write') ─► alive? ─ counted, perhaps killed here ─► the effect ─ did() ─► perhaps killed here
 */
export interface Life {
  readonly alive: boolean
  /** About to have an effect. @returns whether it may. */
  acts(what: string): boolean
  /** It has had one. */
  did(what: string): void
}

/** When a process is to die: at this effect, counted from its beginning, before or after it. */
export interface PlannedDeath {
  readonly effect: number
  readonly after: boolean
}

export class Mortal implements Life {
  alive = true
  /** Effects so far, and of which kind the last one was. */
  effects = 0
  last = ''
  readonly #planned: PlannedDeath | undefined
  readonly #died: (at: string) => void

  constructor(planned: PlannedDeath | undefined, died: (at: string) => void) {
    this.#planned = planned
    this.#died = died
  }

  acts(what: string): boolean {
    if (!this.alive) return false
    this.effects++
    this.last = what
    if (this.#planned?.after === false && this.effects === this.#planned.effect) this.kill(`before ${what}`)
    return this.alive
  }

  did(what: string): void {
    if (this.alive && this.#planned?.after === true && this.effects === this.#planned.effect) this.kill(`after ${what}`)
  }

  kill(at: string): void {
    if (!this.alive) return
    this.alive = false
    this.#died(at)
  }
}

/** A part of `whole`, such as a Worker of a process: it can die alone, and dies with it. */
export class Part implements Life {
  #alive = true
  readonly #whole: Life

  constructor(whole: Life) {
    this.#whole = whole
  }

  get alive(): boolean {
    return this.#alive && this.#whole.alive
  }

  acts(what: string): boolean {
    return this.#alive && this.#whole.acts(what)
  }

  did(what: string): void {
    if (this.#alive) this.#whole.did(what)
  }

  die(): void {
    this.#alive = false
  }
}

/** For whoever is dead no call ever comes back. */
export const never = <T>(): Promise<T> => new Promise<T>(() => undefined)
