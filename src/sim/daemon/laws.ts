/**
 * @packageDocumentation
 * What a world of whole daemons is watched for. Each law has a checker that sees only what crosses a border (nodes in
 * XenStore, answers on rings, what the hypervisor and the kernel hold), so that no fault inside can hide from it.
 *
 *   states       each state that the back end publishes may follow the one before, has a reason, and says the truth
 *   released     what is mapped, bound, opened and locked is given back, once, and not under whoever borrows it
 *   answered     a request of an honest guest is answered once, as what it was, and without an error that has no cause
 *   contents     reads return what was written; the disk holds what was answered
 *   durable      an answered flush covers every write that was answered before it was put
 *   progress     who may connect is connected in good time, who closes is closed, and all comes to an end
 *   alone        what goes wrong costs nobody else anything: no actor crashes, no queue ends by itself
 *   bounded      who is gone leaves nothing behind: no watch, no timer, no part of a Worker's arena
 *   replay       every journal replays to itself
 */
export const DAEMON_LAWS = [
  'states', 'released', 'answered', 'contents', 'durable', 'progress', 'alone', 'bounded', 'replay',
  /** A story of the simulator itself failed. */
  'simulator',
] as const
export type DaemonLaw = (typeof DAEMON_LAWS)[number]

export type Blame = (law: DaemonLaw, sentence: string) => void
