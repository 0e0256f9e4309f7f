/**
 * Faults planted in the daemon's parts, each at a seam of the simulated process, and what the simulator must say.
 */
import type { DaemonLaw } from '../../src/sim/daemon/laws.js'
import type { ProcessSeams } from '../../src/sim/daemon/process.js'

export interface DaemonFault {
  readonly title: string
  readonly seams: ProcessSeams
  /** Which laws it breaks, and in what words. */
  readonly law: readonly DaemonLaw[]
  readonly shows: RegExp
}

export const DAEMON_FAULTS: readonly DaemonFault[] = [
  {
    title: 'a ring is never unmapped',
    seams: { host: (host) => void (host.unmapRing = () => Promise.resolve()) },
    law: ['released'],
    shows: /held|mapped twice/,
  },
  {
    title: 'a channel is never unbound',
    seams: { host: (host) => void (host.unbindChannel = () => Promise.resolve()) },
    law: ['released'],
    shows: /held/,
  },
]
