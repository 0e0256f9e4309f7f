/**
 * @packageDocumentation
 * Several things can tell that the world is gone; whoever says it first gives the reason, the rest are echoes.
 */
export class HypervisorGone {
  readonly said: Promise<Error>
  private resolve: (error: Error) => void = () => undefined

  constructor() {
    this.said = new Promise((resolve) => void (this.resolve = resolve))
  }

  say(error: Error): void {
    this.resolve(error)
  }
}
