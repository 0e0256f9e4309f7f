/**
 * @packageDocumentation
 * `xbbd list`: what stands and how it fares. The table has one line per device; below it the sentences that a table
 * cannot hold (why one failed, what was decided on the way). `--statistics` adds what each device did. With numbers of
 * guests it shows theirs, as `xl block-list` does, which does not know disks that were attached without libxl.
 */
import type { Command } from 'commander'
import { percentileNs } from '../../core/statistics.js'
import type { DeviceListing, DeviceStatistics } from '../../ports/daemon-api.js'
import { isLimited } from '../../protocol/rate-limit.js'
import { rateLimitText } from '../rate-limit-text.js'
import { renderTable, type Column } from '../table.js'
import { formatBytes, formatNanoseconds } from '../units.js'
import { listAsXl } from './list-as-xl.js'
import { json, readDomid, withDaemon, withDaemonOptions, type CommandContext, type DaemonOptions } from './context.js'

interface Options extends DaemonOptions {
  readonly statistics?: boolean
  readonly xl?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd list
  xbbd list 5                       the disks of guest 5
  xbbd list --xl 5                  in the columns of xl block-list 5
  xbbd list --statistics
  xbbd list --json | jq '.devices[] | select(.gaveUp)'
`

/** What `--json` prints. */
export interface ListReport {
  readonly devices: readonly DeviceListing[]
  readonly statistics?: readonly DeviceStatistics[]
}

/** Registers the command. */
export function addList(program: Command, { terminal }: CommandContext): void {
  const command = program
    .command('list')
    .description('show the disks and how they fare')
    .argument('[domid...]', 'guests whose disks are shown; without one all are', collectDomids)
    .option('--statistics', 'show also what each disk did: requests, bytes, errors, latency')
    .option('--xl', 'print the columns of xl block-list')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (domids: readonly number[], options: Options) => {
      const isAsked = ({ domid }: { readonly domid: number }) => domids.length === 0 || domids.includes(domid)
      const report = await withDaemon(options, async (client): Promise<ListReport> => {
        const devices = ((await client.call('list')) as DeviceListing[]).filter(isAsked)
        if (!options.statistics) return { devices }
        return { devices, statistics: ((await client.call('statistics')) as DeviceStatistics[]).filter(isAsked) }
      })
      terminal.out(options.json ? json(report) : options.xl ? listAsXl(report.devices) : listText(report))
    })
  withDaemonOptions(command)
}

const collectDomids = (text: string, before: readonly number[] = []) => [...before, readDomid(text)]

const COLUMNS: readonly Column[] = [
  { title: 'DEVICE' },
  { title: 'VDEV' },
  { title: 'STATE' },
  { title: 'BACK' },
  { title: 'FRONT' },
  { title: 'SIZE', align: 'right' },
  { title: 'MODE' },
  { title: 'RING', align: 'right' },
  { title: 'RESTARTS', align: 'right' },
  { title: 'TARGET' },
]

/** The report for people. */
export function listText({ devices, statistics }: ListReport): string {
  const table = renderTable(COLUMNS, devices.map(row))
  const remarks = devices.flatMap((device) => [
    ...(device.error === undefined ? [] : [`${device.name}: ${device.error}`]),
    ...(device.gaveUp ? [`${device.name}: given up after ${device.restarts} restarts: attach it anew`] : []),
    ...(isLimited(device.limit) ? [`${device.name}: at most ${rateLimitText(device.limit)}`] : []),
    ...device.notes.map((note) => `${device.name}: ${note}`),
  ])
  const sections = [table, remarks.map((remark) => `${remark}\n`).join(''), ...(statistics ?? []).map(statisticsText)]
  return sections.filter((section) => section !== '').join('\n')
}

function row(device: DeviceListing): string[] {
  const { connection } = device
  return [
    device.name,
    device.vdev,
    device.state,
    device.backendState,
    device.frontendState,
    device.sectorCount === undefined ? '-' : formatBytes(device.sectorCount * 512),
    device.mode,
    connection === undefined ? '-' : `${connection.ringEntries}`,
    `${device.restarts}`,
    device.target,
  ]
}

const PERCENTILES = [50, 99, 99.9] as const

function statisticsText(device: DeviceStatistics): string {
  const counters = Object.entries(device.counters)
    .filter(([, value]) => value !== 0)
    .map(([name, value]) => [name, `${value}`])
  const latencies = Object.entries(device.histograms)
    .filter(([name, counts]) => name.endsWith('Latency') && counts.some((count) => count > 0))
    .flatMap(([name, counts]) =>
      PERCENTILES.map((share) => [`${name} p${share}`, formatNanoseconds(percentileNs(counts, share / 100))]),
    )
  const titles: Column[] = [{ title: device.name }, { title: 'VALUE', align: 'right' }]
  return renderTable(titles, [...counters, ...latencies])
}
