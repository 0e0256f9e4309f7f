/**
 * @packageDocumentation
 * Where the actors of the control plane (daemon, supervisor, device, medium) leave what enters them. The order is the
 * law: an input is given to the journal BEFORE it is applied, so that no effect exists whose cause is not written.
 * Inputs are plain objects of numbers, strings, booleans, arrays and such objects: CBOR and JSON hold them unchanged.
 * Queues have a faster journal of their own kind; this one is for rare events.
 */

/** The journal of one actor; single writer, total order. */
export interface ActorJournal {
  /** Commits one input. Called before the chart sees it. */
  input(event: object): void
  /** Notes that the chart stands in another state now; a help for readers, replay does not need it. */
  state(path: string): void
}

/** Opens the journal of the actor called `name` (`vbd/5/51712`, `supervisor`); the chart's id goes to its header. */
export type OpenActorJournal = (name: string, chart: string) => ActorJournal
