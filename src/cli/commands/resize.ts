/**
 * @packageDocumentation
 * `xbbd resize`: after an image or a volume was made larger or smaller, its guest is told at once, not when the daemon
 * looks again by itself. The command changes no medium: that is done before it.
 */
import type { Command } from 'commander'
import type { ResizeOutcome, ResizeSpec } from '../../ports/daemon-api.js'
import { withProgress } from '../progress.js'
import { formatBytes } from '../units.js'
import { json, readDuration, withDaemon, withDaemonOptions, withDeviceOptions } from './context.js'
import type { CommandContext, DaemonOptions, DeviceOptions } from './context.js'

interface Options extends DaemonOptions, DeviceOptions {
  readonly wait: number
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  truncate -s +10G /srv/images/guest.img && xbbd resize --domain 5 --vdev xvda
  lvextend -L +10G vg0/data && xbbd resize --domain 5 --vdev xvdb
  In the guest its file system grows after the disk, and shrinks before it.
`

/** Registers the command. */
export function addResize(program: Command, context: CommandContext): void {
  const command = withDeviceOptions(program.command('resize'))
    .description("tell a guest its disk's new size")
    .option('--wait <duration>', 'how long to wait until the guest is told', readDuration, 10_000)
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const { domain: domid, vdev } = options
      const spec: ResizeSpec = { domid, vdev, waitMs: options.wait }
      const outcome = await withDaemon(options, (client) =>
        withProgress(
          context.terminal,
          () => `waiting for ${vdev} of domain ${domid} to be told`,
          client.call('resize', spec) as Promise<ResizeOutcome>,
        ),
      )
      context.terminal.out(options.json ? json(outcome) : `${describe(outcome)}\n`)
    })
  withDaemonOptions(command)
}

function describe({ sectorCountBefore, device: { name, vdev, sectorCount } }: ResizeOutcome): string {
  const [before, now] = [sectorCountBefore, sectorCount].map((sectors) => formatBytes((sectors ?? 0) * 512))
  if (sectorCountBefore === sectorCount) return `${name} (${vdev}): ${now}, as before`
  return `${name} (${vdev}): ${now}, ${(sectorCount ?? 0) > (sectorCountBefore ?? 0) ? 'up' : 'down'} from ${before}`
}
