/**
 * @packageDocumentation
 * What is measured of one back end, and the words in which dom0 tells the host of it: one JSON object per line on
 * standard output, so that what was measured before a boot died is known.
 */

/** The rig's fio-baseline, job by job. */
export const JOBS = [
  'randread-4k-q1', 'randread-4k-q32', 'randwrite-4k-q1', 'randwrite-4k-q32', 'read-128k-q8', 'write-128k-q8',
] as const
export type Job = (typeof JOBS)[number]

/** Whose work is compared; the same file, the same guest, the same jobs. */
export const BACKENDS = ['xbbd', 'xbbd persistent', 'xen-blkback', 'qdisk'] as const
export type Backend = (typeof BACKENDS)[number]

/** One job of fio on one back end in one round. */
export interface Measurement {
  readonly event: 'measured'
  readonly round: number
  readonly backend: Backend
  readonly job: Job
  readonly iops: number
  readonly mibPerSecond: number
  readonly meanUs: number
  /** Requests on the ring, as the guest's block layer counts them; a job's I/O may take several. */
  readonly requests: number
  /** Interrupts of the guest's disk: how often the back end notified it. */
  readonly guestInterrupts: number
  /** Interrupts of dom0 on event channels of disks: how often the guest woke the back end. */
  readonly backendEvents: number
  /** Context switches of dom0. */
  readonly contextSwitches: number
  /** What the daemon counted by itself: grant copies, submits, batches. */
  readonly counters: Readonly<Record<string, number>>
}

/** System calls of the back end's process, in a pass of its own, since counting slows. */
export interface SystemCalls {
  readonly event: 'calls'
  readonly backend: Backend
  readonly job: Job
  readonly requests: number
  readonly calls: Readonly<Record<string, number>>
}

export type Told = Measurement | SystemCalls | { readonly event: 'say'; readonly text: string } | { readonly event: 'done' }

/** What the host asks for, in a file on the share. */
export interface Plan {
  readonly rounds: number
  readonly seconds: number
  readonly warmSeconds: number
  readonly only: readonly Backend[]
}
