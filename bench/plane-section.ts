/**
 * @packageDocumentation
 * The table of bench (a): for each load and depth the plane behind its ring (plane.ts), the plane alone (lockstep.ts),
 * and the front end's ceiling.
 */
import { formatCount, formatNanoseconds } from '../src/cli/units.js'
import { benchLockstep } from './lockstep.js'
import { benchPlane } from './plane.js'
import type { PlaneLoad } from './plane.js'
import type { Pace } from './pace.js'
import { pinNote } from './pin.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const DEPTHS = [1, 32, 256] as const

/** Least requests per second at depth 32 that were asked for. */
const TARGETS = { a0: 3e6, a1: 2e6, a11: 0.4e6 } as const

export async function planeSection(loads: readonly PlaneLoad[], pace: Pace, say: Say): Promise<Section> {
  const rows = []
  for (const load of loads) {
    for (const depth of DEPTHS) {
      say(`${load} at depth ${depth}`)
      const row = await benchPlane(load, depth, 'inputs', pace)
      const alone = await benchLockstep(load, depth, 'inputs', pace)
      rows.push({ ...row, planeNs: alone.planeNs, target: depth === 32 ? TARGETS[load] : undefined })
    }
  }
  return {
    name: 'a',
    title: 'the plane: null medium, a front end that polls in its own process, the journal on',
    columns: columns('|load', 'depth', 'requests/s', 'target', 'CPU', 'p50', 'p99', 'batch', 'ceiling/s', 'ratio', 'work', 'per core'),
    table: rows.map((row) => [
      row.load,
      String(row.depth),
      formatCount(row.requestsPerSecond),
      row.target === undefined ? '' : formatCount(row.target),
      formatNanoseconds(row.cpuNs),
      formatNanoseconds(row.p50Ns),
      formatNanoseconds(row.p99Ns),
      row.perBatch.toFixed(1),
      formatCount(row.ceilingPerSecond),
      `${(row.ceilingPerSecond / row.requestsPerSecond).toFixed(1)}×`,
      formatNanoseconds(row.planeNs),
      formatCount(1e9 / row.planeNs),
    ]),
    notes: [
      'a0: a discard of 4 KiB, one I/O in which no byte moves; a1, a11: a write of 1 or 11 pages, each copied by grant.',
      'CPU: of the daemon per request, polling included. Ceiling: the same front end, answered at once; ratio to the figure.',
      pinNote,
      'Work: CPU per request with front end and plane in turn on one thread, the front end subtracted; per core = 1 s / work.',
    ],
    rows,
  }
}
