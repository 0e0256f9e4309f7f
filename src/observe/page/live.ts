/**
 * @packageDocumentation
 * Rows of a daemon that runs: what it lists and counts anyway. Rates are differences between two looks, so the first
 * look has none. Sixty-four disks cost what `xbbd top` costs, and no journal is read for them.
 *
 *   list, statistics ─ now and about a second ago ─► rates ─► rows
 */
import type { DeviceListing, DeviceStatistics } from '../../ports/daemon-api.js'
import { describeState } from '../../machines/notes.js'
import { ratesBetween } from '../rates.js'
import type { DeviceRates, Rates, RateSample } from '../rates.js'
import { isFailure } from './screen.js'
import type { DeviceRow, RowRates, Verdict } from './types.js'

/** The two looks lie so far apart at least. */
const INTERVAL_NS = 900e6
/** A look older than this says nothing of now. */
const STALE_NS = 10e9

const SHORTAGE = 'A queue takes nothing for want of something: the chart says of what.'

/** Remembers one look, and since when nothing has been answered. */
export class LiveRows {
  private before: RateSample | undefined
  private latest: RateSample | undefined
  private readonly stuckSince = new Map<string, { readonly answered: number; readonly sinceNs: number }>()

  /** The rows now. */
  rows(nowNs: number, devices: readonly DeviceListing[], statistics: readonly DeviceStatistics[]): DeviceRow[] {
    const sample: RateSample = { atNs: nowNs, devices, statistics }
    if (this.latest !== undefined && nowNs - this.latest.atNs > STALE_NS) this.latest = this.before = undefined
    if (this.latest === undefined || nowNs - this.latest.atNs >= INTERVAL_NS) {
      this.before = this.latest
      this.latest = sample
    }
    const rates = ratesBetween(this.before ?? sample, sample)
    const listed = new Set(devices.map(({ name }) => name))
    for (const name of this.stuckSince.keys()) if (!listed.has(name)) this.stuckSince.delete(name)
    const counted = new Map(statistics.map((one) => [one.name, one]))
    return rates.map((one) => this.row(one, counted.get(one.device.name), nowNs))
  }

  private row(seen: DeviceRates, own: DeviceStatistics | undefined, nowNs: number): DeviceRow {
    const { device, inFlight, ringEntries, rates } = seen
    const { name, vdev, target, state, sectorCount, connection } = device
    const waitsNs = this.waits(name, inFlight, own, nowNs)
    const queues = connection?.queues ?? []
    const short = queues.some(({ shortage }) => shortage) ? { shortOf: 'something' } : {}
    return {
      name, vdev, target, state, inFlight, entries: ringEntries, ...short,
      ...(sectorCount === undefined ? {} : { sizeBytes: sectorCount * 512 }),
      verdict: verdictOf(device, inFlight + (rates === undefined ? 0 : rates.reads + rates.writes), waitsNs),
      headline: headlineOf(device),
      ...(waitsNs > 0 ? { oldestNs: waitsNs } : {}),
      ...(rates === undefined ? {} : { rates: rowRates(rates) }),
    }
  }

  /** For how long requests are in flight and none is answered; as far as somebody has looked. */
  private waits(name: string, inFlight: number, own: DeviceStatistics | undefined, nowNs: number): number {
    const counted = ['answeredOkay', 'answeredError', 'answeredUnsupported', 'abandoned'] as const
    const answered = counted.reduce((sum, counter) => sum + (own?.counters[counter] ?? 0), 0)
    const known = this.stuckSince.get(name)
    if (inFlight > 0 && known?.answered === answered) return nowNs - known.sinceNs
    this.stuckSince.set(name, { answered, sinceNs: nowNs })
    return 0
  }
}

const WAITING_NS = 1e9

/** `atWork`: zero when nothing is in flight and nothing was answered lately. */
function verdictOf({ state, gaveUp, connection }: DeviceListing, atWork: number, waitsNs: number): Verdict {
  if (gaveUp || isFailure('device', state)) return 'failed'
  if (state.startsWith('Recovering')) return 'recovering'
  if (connection === undefined) return 'not serving'
  if (atWork === 0) return 'idle'
  return waitsNs > WAITING_NS ? 'waiting' : 'working'
}

function headlineOf({ error, state, connection, notes, gaveUp }: DeviceListing): string {
  if (gaveUp) return 'The supervisor has given it up.'
  if (error !== undefined) return error
  if (connection?.queues.some(({ mediumFull }) => mediumFull)) return notes.at(-1) ?? 'The medium is full.'
  if (connection?.queues.some(({ shortage }) => shortage)) return SHORTAGE
  return describeState('device', state)
}

function rowRates({ reads, writes, readBytes, writtenBytes, p50Ns, p99Ns }: Rates): RowRates {
  return {
    reads, writes, readBytes, writtenBytes,
    ...(p50Ns === undefined ? {} : { p50Ns }), ...(p99Ns === undefined ? {} : { p99Ns }),
  }
}
