/**
 * @packageDocumentation
 * What the kernel says of a process: memory as PSS (what it shares with others is divided among them), by what is
 * mapped, and CPU time to the nanosecond.
 */
import { readFileSync, readdirSync } from 'node:fs'

export interface Memory {
  readonly pssBytes: number
  /** Of that: pages of guests, which a back end on Xen would not map. */
  readonly guestBytes: number
  /** Of that: the journal's segments. */
  readonly journalBytes: number
}

/** Rejects nothing: throws ENOENT when the process has gone. */
export function memoryOf(pid: number): Memory {
  let name = ''
  let pssBytes = 0
  let guestBytes = 0
  let journalBytes = 0
  for (const line of readFileSync(`/proc/${pid}/smaps`, 'utf8').split('\n')) {
    const mapping = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+ *(.*)$/.exec(line)
    if (mapping) name = mapping[1]
    const pss = /^Pss: +(\d+) kB$/.exec(line)
    if (!pss) continue
    const bytes = Number(pss[1]) * 1024
    pssBytes += bytes
    if (name.includes('memfd:xbbd-domain')) guestBytes += bytes
    if (name.endsWith('.xbj')) journalBytes += bytes
  }
  return { pssBytes, guestBytes, journalBytes }
}

/** CPU time of each of its threads so far, nanoseconds, by number. */
export function threadTimesOf(pid: number): ReadonlyMap<string, number> {
  const tasks = readdirSync(`/proc/${pid}/task`)
  return new Map(tasks.map((task) => {
    const [ran] = readFileSync(`/proc/${pid}/task/${task}/schedstat`, 'utf8').split(' ', 1)
    return [task, Number(ran)]
  }))
}

/** Those of its threads that ask for less of a processor than usual (nice above 0), by number. */
export function lowThreadsOf(pid: number): ReadonlySet<string> {
  return new Set(readdirSync(`/proc/${pid}/task`).filter((task) => {
    // Behind the name in brackets, which may hold anything: state is the first field, nice the seventeenth.
    const fields = readFileSync(`/proc/${pid}/task/${task}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ')
    return Number(fields[16]) > 0
  }))
}

/** CPU time between two looks, of the threads that still are there (the kernel's helpers come and go). */
export function cpuNsBetween(before: ReadonlyMap<string, number>, after: ReadonlyMap<string, number>): number {
  let sum = 0
  for (const [task, ran] of after) sum += ran - (before.get(task) ?? 0)
  return sum
}
