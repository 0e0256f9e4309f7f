/**
 * @packageDocumentation
 * Who holds the lock on an image? The kernel does not say for OFD locks (F_OFD_GETLK answers pid -1), but it shows
 * every lock in the `fdinfo` of the descriptor that holds it:
 *
 *   /proc/PID/fdinfo/FD     lock:	1: OFDLCK  ADVISORY  WRITE -1 fe:00:18 0 EOF
 *
 * The search is for a sentence to an operator, so it is bounded and any failure only makes the sentence shorter:
 * processes of other users cannot be looked into, and processes end while one looks.
 */
import { readFileSync, readdirSync } from 'node:fs'

/** A process that holds a lock on the file. */
export interface LockHolder {
  readonly pid: number
  readonly command: string
}

/** Descriptors looked at before the search is given up. */
const MOST_DESCRIPTORS = 20_000

/** The first process found that holds a lock on the inode; undefined when none can be seen. */
export function findLockHolder(inode: number): LockHolder | undefined {
  const lock = new RegExp(`^lock:.*:${inode} `, 'm')
  let looked = 0
  for (const pid of listed('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const descriptor of listed(`/proc/${pid}/fdinfo`)) {
      if (++looked > MOST_DESCRIPTORS) return undefined
      if (!lock.test(text(`/proc/${pid}/fdinfo/${descriptor}`))) continue
      return { pid: Number(pid), command: text(`/proc/${pid}/comm`).trim() || 'unknown' }
    }
  }
  return undefined
}

function listed(dir: string): string[] {
  try {
    return readdirSync(dir)
  } catch {
    // Gone meanwhile, or not ours to see.
    return []
  }
}

function text(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    // Gone meanwhile, or not ours to see.
    return ''
  }
}
