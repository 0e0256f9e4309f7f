/**
 * @packageDocumentation
 * `xbbd insert` and `xbbd eject`: change the disc of a CD-ROM drive while the guest runs, also of a guest without a
 * device model, for which xl refuses. The guest sees an empty drive, and then the new disc.
 */
import type { Command } from 'commander'
import type { DeviceListing, DiscSpec } from '../../ports/daemon-api.js'
import { withProgress } from '../progress.js'
import { formatBytes } from '../units.js'
import { json, readDuration, withDaemon, withDaemonOptions, withDeviceOptions } from './context.js'
import type { CommandContext, DaemonOptions, DeviceOptions } from './context.js'

interface Options extends DaemonOptions, DeviceOptions {
  readonly target?: string
  readonly wait: number
  readonly json?: boolean
}

const INSERT_EXAMPLES = `
Examples:
  xbbd insert --domain 5 --vdev xvdc --target /srv/iso/debian.iso
  xbbd attach --domain 5 --vdev xvdc --device-type cdrom --mode r --target ''     makes the drive, empty
`

const EJECT_EXAMPLES = `
Examples:
  xbbd eject --domain 5 --vdev xvdc
`

/** Registers the command. */
export function addInsert(program: Command, context: CommandContext): void {
  const command = withDeviceOptions(program.command('insert'))
    .description("put a disc into a guest's CD-ROM drive")
    .requiredOption('-t, --target <target>', 'the image or block device')
    .addHelpText('after', INSERT_EXAMPLES)
  withChange(command, context, 'insert', ({ target }) => ({ target: target ?? '' }))
}

/** Registers the command. */
export function addEject(program: Command, context: CommandContext): void {
  const command = withDeviceOptions(program.command('eject'))
    .description("leave a guest's CD-ROM drive empty")
    .addHelpText('after', EJECT_EXAMPLES)
  withChange(command, context, 'eject', () => ({}))
}

function withChange(
  command: Command, context: CommandContext, method: 'insert' | 'eject', more: (options: Options) => object,
): void {
  command
    .option('--wait <duration>', 'how long to wait until the guest is told', readDuration, 10_000)
    .option('--json', 'print the drive as JSON')
    .action(async (options: Options) => {
      const { domain: domid, vdev } = options
      const spec: Omit<DiscSpec, 'target'> = { domid, vdev, waitMs: options.wait, ...more(options) }
      const device = await withDaemon(options, (client) =>
        withProgress(
          context.terminal,
          () => `waiting for the drive ${vdev} of domain ${domid}`,
          client.call(method, spec) as Promise<DeviceListing>,
        ),
      )
      context.terminal.out(options.json ? json(device) : `${describe(device)}\n`)
    })
  withDaemonOptions(command)
}

function describe({ name, vdev, target, sectorCount }: DeviceListing): string {
  return `${name} (${vdev}): ${target === '' ? 'empty' : `${target}, ${formatBytes((sectorCount ?? 0) * 512)}`}`
}
