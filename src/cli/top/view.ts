/**
 * @packageDocumentation
 * What `xbbd top` shows, as text: iostat's columns per device, and what only a back end knows (its ring, its state).
 * One table, sorted by what the operator asked for; the same rows as JSON. Sizes are in KiB, as with `iostat -x`.
 *
 *   DEVICE VDEV STATE  r/s rkB/s r_await rareq-sz  w/s … wareq-sz  d/s f/s  aqu-sz RING  p50 p99 p99.9  ERR/s
 */
import type { DeviceRates, Rates } from '../../observe/rates.js'
import { renderTable, type Column } from '../table.js'
import { formatCount, formatNanoseconds } from '../units.js'

/** By what rows can be sorted; all but the name from large to small. */
export const SORT_KEYS = ['device', 'reads', 'writes', 'bytes', 'latency', 'queue', 'ring', 'errors'] as const
export type SortKey = (typeof SORT_KEYS)[number]

const right = (title: string): Column => ({ title, align: 'right' })

const COLUMNS: readonly Column[] = [
  { title: 'DEVICE' }, { title: 'VDEV' }, { title: 'STATE' },
  ...['r/s', 'rkB/s', 'r_await', 'rareq-sz', 'w/s', 'wkB/s', 'w_await', 'wareq-sz', 'd/s', 'f/s'].map(right),
  ...['aqu-sz', 'RING', 'p50', 'p99', 'p99.9', 'ERR/s'].map(right),
]

/** What the device does when all is well is not said; everything else is. */
export function shortState(state: string): string {
  const usual = new Set(['Connected.intake.Running', 'Connected.medium.Present'])
  const leaves = state.split(' ').filter((leaf) => !usual.has(leaf))
  if (leaves.length === 0) return 'Connected'
  return leaves.map((leaf) => leaf.replace(/^Connected\.(intake|medium)\./, 'Connected.')).join(' ')
}

const bytesOf = ({ readBytes, writtenBytes }: Rates) => readBytes + writtenBytes

const VALUES: Readonly<Record<Exclude<SortKey, 'device'>, (row: DeviceRates) => number>> = {
  reads: ({ rates }) => rates?.reads ?? 0,
  writes: ({ rates }) => rates?.writes ?? 0,
  bytes: ({ rates }) => (rates ? bytesOf(rates) : 0),
  latency: ({ rates }) => rates?.p99Ns ?? 0,
  queue: ({ rates }) => rates?.queueSize ?? 0,
  ring: ({ inFlight, ringEntries }) => inFlight / Math.max(1, ringEntries),
  errors: ({ rates }) => rates?.errors ?? 0,
}

/** Sorted anew; equals stay in the order of their guests and disks. */
export function sorted(rows: readonly DeviceRates[], key: SortKey): DeviceRates[] {
  const byName = [...rows].sort((a, b) => a.device.domid - b.device.domid || a.device.devid - b.device.devid)
  if (key === 'device') return byName
  const value = VALUES[key]
  return byName.sort((a, b) => value(b) - value(a))
}

function cells({ device, rates, inFlight, ringEntries }: DeviceRates): string[] {
  const rate = (value: number | undefined) => (value === undefined ? '-' : formatCount(Math.round(value * 10) / 10))
  const time = (ns: number | undefined) => (ns === undefined ? '-' : formatNanoseconds(ns))
  const kilobytes = (bytes: number | undefined) => rate(bytes === undefined ? undefined : bytes / 1024)
  const size = (bytes?: number, count?: number) => kilobytes(bytes === undefined || !count ? undefined : bytes / count)
  return [
    device.name, device.vdev, shortState(device.state),
    rate(rates?.reads), kilobytes(rates?.readBytes), time(rates?.readAwaitNs), size(rates?.readBytes, rates?.reads),
    rate(rates?.writes), kilobytes(rates?.writtenBytes), time(rates?.writeAwaitNs),
    size(rates?.writtenBytes, rates?.writes),
    rate(rates?.discards), rate(rates?.flushes), rates === undefined ? '-' : rates.queueSize.toFixed(1),
    ringEntries === 0 ? '-' : `${inFlight}/${ringEntries}`,
    time(rates?.p50Ns), time(rates?.p99Ns), time(rates?.p999Ns), rate(rates?.errors),
  ]
}

/** What a narrow terminal does without. */
const MINOR = new Set(['VDEV', 'rareq-sz', 'wareq-sz', 'd/s', 'f/s', 'p50', 'p99.9'])
const WIDTH_OF_ALL = 150

/** The table; the columns that matter most where there is no room for all. */
export function topText(rows: readonly DeviceRates[], key: SortKey, width = Infinity): string {
  const isShown = (_: unknown, index: number) => width >= WIDTH_OF_ALL || !MINOR.has(COLUMNS[index].title)
  return renderTable(COLUMNS.filter(isShown), sorted(rows, key).map((row) => cells(row).filter(isShown)))
}

/** JSON leaves undefined members out, and a reader should find every one. */
function nulled(rates: Rates): Record<string, number | null> {
  const entries = Object.entries(rates) as [string, number | undefined][]
  return Object.fromEntries(entries.map(([what, value]) => [what, value ?? null]))
}

/** One report of `--json`: times in nanoseconds, rates a second, null where nothing is known. */
export function topReport(rows: readonly DeviceRates[], key: SortKey, seconds: number, at: string): object {
  const devices = sorted(rows, key).map(({ device, rates, inFlight, ringEntries, shortage, throttled }) => {
    const { name, domid, vdev, state } = device
    const known = rates === undefined ? null : nulled(rates)
    return { name, domid, vdev, state, inFlight, ringEntries, shortage, throttled, rates: known }
  })
  return { at, seconds, devices }
}
