/**
 * @packageDocumentation
 * Keeps front end and daemon on processors of their own: the front end on the last one, the daemon on all others. Two
 * threads that poll for each other on one processor make progress once per time slice, and a scheduler that puts them
 * there for a while makes a figure meaningless. Needs taskset (util-linux); without it, or with one processor, nobody is
 * kept anywhere and the bench says so.
 */
import { spawnSync } from 'node:child_process'
import { cpus } from 'node:os'

const count = cpus().length

/** Whether processes can be kept apart here. */
export const canPin: boolean = count > 1 && spawnSync('taskset', ['--version']).status === 0

/** One sentence for the tables' notes. */
export const pinNote: string = canPin
  ? `Front ends run on processor ${count - 1}, the daemon on the other${count > 2 ? 's' : ''}.`
  : 'Front end and daemon were not kept on processors of their own (one processor, or no taskset).'

/** Keeps a process, with all its threads, on the front ends' processor or off it. */
export function pin(pid: number, where: 'front' | 'daemon'): void {
  if (!canPin) return
  const list = where === 'front' ? String(count - 1) : count === 2 ? '0' : `0-${count - 2}`
  spawnSync('taskset', ['-apc', list, String(pid)])
}
