/**
 * @packageDocumentation
 * The tables of bench (b), the file beside fio, and (c), what the journal costs: in CPU with nothing else in the way
 * (lockstep.ts), and in the file's rate.
 */
import { formatBytes, formatCount, formatNanoseconds } from '../src/cli/units.js'
import { benchFile, makeFile } from './file.js'
import type { FileLoad, FileRow } from './file.js'
import { benchLockstep } from './lockstep.js'
import type { Pace } from './pace.js'
import { columns } from './report.js'
import type { Say, Section } from './report.js'

const MiB = 1 << 20
const NO_FIO = 'fio is not installed (package fio): its columns are empty.'

const KINDS = [
  { rw: 'randread', blockBytes: 4096 },
  { rw: 'randwrite', blockBytes: 4096 },
  { rw: 'read', blockBytes: 131072 },
  { rw: 'write', blockBytes: 131072 },
] as const

/** A polling front end at every depth, and a sleeping one at depth 1. */
function loads(): FileLoad[] {
  return KINDS.flatMap((kind) => [
    ...[1, 32, 128].map((depth) => ({ ...kind, depth, sleep: false, journal: 'inputs' as const })),
    { ...kind, depth: 1, sleep: true, journal: 'inputs' },
  ])
}

const sizeOf = (pace: Pace) => (pace.quick ? 128 : 1024) * MiB

export async function fileSection(withFio: boolean, pace: Pace, say: Say): Promise<Section> {
  const size = sizeOf(pace)
  say(`writing a file of ${formatBytes(size)}`)
  const { path, remove } = makeFile(size)
  try {
    const rows: FileRow[] = []
    for (const load of loads()) {
      say(`${load.rw} of ${formatBytes(load.blockBytes)} at depth ${load.depth}${load.sleep ? ', sleeping' : ''}`)
      rows.push(await benchFile(path, size, load, withFio, pace))
    }
    return {
      name: 'b',
      title: 'an O_DIRECT file through the ring, beside fio with io_uring, fixed buffers and registered files',
      columns: columns(
        '|load', 'block', 'depth', '|front end', 'requests/s', 'bytes/s', 'p50', 'p99', 'CPU', 'fio bytes/s', 'fio CPU', 'ratio',
      ),
      table: rows.map((row) => [
        row.rw, formatBytes(row.blockBytes), String(row.depth), row.sleep ? 'sleeps' : 'polls',
        formatCount(row.requestsPerSecond), formatBytes(row.bytesPerSecond), formatNanoseconds(row.p50Ns),
        formatNanoseconds(row.p99Ns), formatNanoseconds(row.cpuNs),
        row.fio ? formatBytes(row.fio.bytesPerSecond) : '', row.fio ? formatNanoseconds(row.fio.cpuNs) : '',
        row.ratio?.toFixed(2) ?? '',
      ]),
      notes: [
        'Ratio: bytes per second, ours to fio’s, in alternating runs. CPU: per request, of the daemon and of fio.',
        'A block of 128 KiB goes through the ring as three requests of 44 KiB, so a row has three times as many in flight.',
        ...(withFio ? [] : [NO_FIO]),
      ],
      rows,
    }
  } finally {
    remove()
  }
}

/** (c): the journal on and off. */
export async function journalSection(pace: Pace, say: Say): Promise<Section> {
  const cost = []
  for (const load of ['a0', 'a1', 'a11'] as const) {
    say(`${load} with and without a journal`)
    const on = await benchLockstep(load, 32, 'inputs', pace)
    const off = await benchLockstep(load, 32, 'off', pace)
    cost.push({ load: `${load}, CPU per request`, on: on.planeNs, off: off.planeNs })
  }
  const size = sizeOf(pace)
  const { path, remove } = makeFile(size)
  const rates = []
  try {
    for (const rw of ['randread', 'randwrite'] as const) {
      say(`${rw} with and without a journal`)
      const load = { rw, blockBytes: 4096, depth: 32, sleep: false } as const
      const on = await benchFile(path, size, { ...load, journal: 'inputs' }, false, pace)
      const off = await benchFile(path, size, { ...load, journal: 'off' }, false, pace)
      rates.push({ load: `${rw} 4 KiB, requests/s`, on: on.requestsPerSecond, off: off.requestsPerSecond })
    }
  } finally {
    remove()
  }
  const row = (load: string, on: string, off: string, cost: string) => [load, on, off, cost]
  return {
    name: 'c',
    title: 'what the journal costs, at depth 32',
    columns: columns('|load', 'journal on', 'off', 'cost'),
    table: [
      ...cost.map(({ load, on, off }) =>
        row(load, formatNanoseconds(on), formatNanoseconds(off), formatNanoseconds(on - off))),
      ...rates.map(({ load, on, off }) =>
        row(load, formatCount(on), formatCount(off), `${((1 - on / off) * 100).toFixed(1)} %`)),
    ],
    notes: ['Asked for: at most 80 ns of CPU per one-segment request (a1), and 3 % of the file’s rate.'],
    rows: [...cost, ...rates],
  }
}
