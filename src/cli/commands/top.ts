/**
 * @packageDocumentation
 * `xbbd top`: what the disks do right now. On a terminal it stays and renews itself, with keys to sort; into a pipe it
 * writes a report every interval, as iostat does; `--once` writes one. A daemon that ends meanwhile is waited for on
 * the screen, and is an error elsewhere.
 */
import { setTimeout as pause } from 'node:timers/promises'
import { InvalidArgumentError, Option, type Command } from 'commander'
import { ratesBetween, type DeviceRates, type RateSample } from '../../observe/rates.js'
import type { DeviceListing, DeviceStatistics } from '../../ports/daemon-api.js'
import { sentenceOf, XbbdError } from '../../protocol/errors.js'
import type { Terminal } from '../terminal.js'
import { Screen } from '../top/screen.js'
import { SORT_KEYS, topReport, topText, type SortKey } from '../top/view.js'
import { formatDuration } from '../units.js'
import {
  json, readDuration, withDaemon, withDaemonOptions, type CommandContext, type DaemonOptions,
} from './context.js'

interface Options extends DaemonOptions {
  readonly interval: number
  readonly count?: number
  readonly sort: SortKey
  readonly once?: boolean
  readonly json?: boolean
}

const INTERVAL_MS_MIN = 100

const EXAMPLES = `
On a terminal: q ends; r w b l u i e d sort by reads, writes, bytes, latency, queue, ring, errors, device.

Examples:
  xbbd top
  xbbd top --sort latency --interval 5s
  xbbd top --once --json | jq '.devices[] | select(.rates.p99Ns > 1e7)'
  xbbd top --count 60 >> disks.log
`

/** Registers the command. */
export function addTop(program: Command, { terminal }: CommandContext): void {
  const command = program
    .command('top')
    .description('show what the disks do: rates, latency, rings, as iostat does')
    .option('-i, --interval <duration>', 'time between two reports', readInterval, 1000)
    .option('-n, --count <number>', 'end after so many reports', readCount)
    .addOption(new Option('--sort <key>', 'what comes first').choices(SORT_KEYS).default('device'))
    .option('--once', 'one report, over one interval')
    .option('--json', 'print JSON, one object a report')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => {
      const { stdout, stdin } = process
      const isScreen = stdout.isTTY && stdin.isTTY && !options.once && !options.json && options.count === undefined
      return isScreen ? watch(options) : report(options, terminal)
    })
  withDaemonOptions(command)
}

function readInterval(text: string): number {
  const milliseconds = readDuration(text)
  if (milliseconds >= INTERVAL_MS_MIN) return milliseconds
  throw new InvalidArgumentError(`less than ${INTERVAL_MS_MIN}ms measures nothing`)
}

function readCount(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('a number of reports, from 1')
}

/** One look at the daemon. */
function sampleOf(options: DaemonOptions): Promise<RateSample> {
  return withDaemon(options, async (client) => {
    const [devices, statistics] = await Promise.all([client.call('list'), client.call('statistics')])
    const atNs = performance.now() * 1e6
    return { atNs, devices: devices as DeviceListing[], statistics: statistics as DeviceStatistics[] }
  })
}

/** Reports one after the other, to a pipe, a file, or a terminal that is to keep them. */
async function report(options: Options, terminal: Terminal): Promise<void> {
  const count = options.once ? 1 : (options.count ?? Infinity)
  let before = await sampleOf(options)
  if (options.interval > 2000) terminal.status(`xbbd: measuring for ${formatDuration(options.interval)}`)
  for (let done = 0; done < count; done++) {
    await pause(options.interval)
    const after = await sampleOf(options)
    const rows = ratesBetween(before, after)
    const seconds = (after.atNs - before.atNs) / 1e9
    const at = new Date().toISOString()
    if (options.json) terminal.out(json(topReport(rows, options.sort, seconds, at)))
    else terminal.out(`${done > 0 ? '\n' : ''}${count > 1 ? `${at}\n` : ''}${topText(rows, options.sort)}`)
    before = after
  }
}

const KEYS: Readonly<Record<string, SortKey>> = {
  r: 'reads', w: 'writes', b: 'bytes', l: 'latency', u: 'queue', i: 'ring', e: 'errors', d: 'device',
}

/** The screen, until `q`. */
async function watch(options: Options): Promise<void> {
  const ended = new AbortController()
  let sort = options.sort
  let rows: readonly DeviceRates[] = []
  let remark = 'measuring …'
  const screen = new Screen(process.stdout, process.stdin, (key) => {
    if (key === 'q') ended.abort()
    sort = KEYS[key] ?? sort
    draw()
  })
  function draw(): void {
    const [every, now] = [formatDuration(options.interval), new Date().toTimeString().slice(0, 8)]
    const title = `xbbd top · ${now} · every ${every} · by ${sort}`
    const help = 'q ends · sort: r w b l u i e d'
    screen.show([`${title} · ${help}`, remark, ...topText(rows, sort, process.stdout.columns).trimEnd().split('\n')])
  }
  const stop = () => ended.abort()
  process.once('SIGTERM', stop)
  try {
    draw()
    let before: RateSample | undefined
    while (!ended.signal.aborted) {
      const after: RateSample | XbbdError = await sampleOf(options).catch((error: unknown) => asError(error))
      if (after instanceof XbbdError) {
        remark = sentenceOf(after)
        before = undefined
      } else {
        remark = `${after.devices.length} ${after.devices.length === 1 ? 'disk' : 'disks'}`
        rows = ratesBetween(before ?? after, after)
        before = after
      }
      draw()
      await pause(options.interval, undefined, { signal: ended.signal }).catch(() => undefined)
    }
  } finally {
    process.off('SIGTERM', stop)
    screen.close()
  }
}

/** An operator's error is shown and waited out; anything else is a fault. */
function asError(error: unknown): XbbdError {
  if (error instanceof XbbdError) return error
  throw error
}
