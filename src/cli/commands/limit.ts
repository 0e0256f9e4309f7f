/**
 * @packageDocumentation
 * `xbbd limit`: a disk's rate limit, shown or changed while the guest runs. It is written into XenStore, as a toolstack
 * would, so it outlives the daemon, and goes with the disk when it is detached.
 */
import { InvalidArgumentError, type Command } from 'commander'
import type { DeviceListing, LimitSpec } from '../../ports/daemon-api.js'
import { BPS_MAX, IOPS_MAX } from '../../protocol/rate-limit.js'
import { rateLimitText } from '../rate-limit-text.js'
import { parseSize } from '../units.js'
import { json, withDaemon, withDaemonOptions, withDeviceOptions } from './context.js'
import type { CommandContext, DaemonOptions, DeviceOptions } from './context.js'

interface Options extends DaemonOptions, DeviceOptions {
  readonly iops?: number
  readonly iopsBurst?: number
  readonly bps?: number
  readonly bpsBurst?: number
  readonly default?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd limit --domain 5 --vdev xvda                                    what it is
  xbbd limit --domain 5 --vdev xvda --iops 1000 --iops-burst 5000
  xbbd limit --domain 5 --vdev xvda --bps 100M                         the limit of requests stays as it is
  xbbd limit --domain 5 --vdev xvda --iops 0 --bps 0                   none
  xbbd limit --domain 5 --vdev xvda --default                          what the daemon's settings say
`

/** Registers the command. */
export function addLimit(program: Command, context: CommandContext): void {
  const command = withDeviceOptions(program.command('limit'))
    .description("show or change a disk's rate limit")
    .option('--iops <count>', 'requests a second; 0 is no limit', readCount)
    .option('--iops-burst <count>', "requests at once after a rest; without it a tenth of a second's", readCount)
    .option('--bps <size>', 'bytes a second, such as 100M; 0 is no limit', readBytes)
    .option('--bps-burst <size>', "bytes at once after a rest; without it a tenth of a second's", readBytes)
    .option('--default', "forget what was set for this disk: the daemon's settings count")
    .option('--json', 'print the disk as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const spec = specOf(options)
      const device = await withDaemon(options, (client) => client.call('limit', spec) as Promise<DeviceListing>)
      const { name, vdev, limit } = device
      context.terminal.out(options.json ? json(device) : `${name} (${vdev}): ${rateLimitText(limit)}\n`)
    })
  withDaemonOptions(command)
}

function specOf({ domain, vdev, iops, iopsBurst, bps, bpsBurst, default: anew = false }: Options): LimitSpec {
  const figures = Object.entries({ iops, iopsBurst, bps, bpsBurst }).filter(([, value]) => value !== undefined)
  return { domid: domain, vdev, anew, ...Object.fromEntries(figures) }
}

function readCount(text: string): number {
  const count = /^\d{1,10}$/.test(text) ? Number(text) : Infinity
  if (count > IOPS_MAX) throw new InvalidArgumentError(`must be a whole number from 0 to ${IOPS_MAX}`)
  return count
}

function readBytes(text: string): number {
  const bytes = parseSize(text)
  if (bytes === undefined || bytes > BPS_MAX) throw new InvalidArgumentError('must be a size, such as 4096, 512K, 100M')
  return bytes
}
