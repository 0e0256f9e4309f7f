/**
 * @packageDocumentation
 * `xbbd attach`: makes a disk for a guest as a toolstack would, by asking the daemon to write both halves in XenStore
 * and waiting until the back end offers the disk or says why not.
 */
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { AttachOutcome, AttachSpec } from '../../ports/daemon-api.js'
import { VETOABLE, type Vetoable } from '../../protocol/keys.js'
import { SECTOR_FORMATS, type SectorFormat } from '../../protocol/sector-format.js'
import { withProgress } from '../progress.js'
import { formatBytes } from '../units.js'
import { json, readDuration, withDaemon, withDaemonOptions, withDeviceOptions } from './context.js'
import type { CommandContext, DaemonOptions, DeviceOptions } from './context.js'

interface Options extends DaemonOptions, DeviceOptions {
  readonly target: string
  readonly mode: 'r' | 'w'
  readonly deviceType: 'disk' | 'cdrom'
  readonly protocol?: string
  readonly sectorSize?: SectorFormat
  readonly without: readonly Vetoable[]
  readonly wait: number
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd attach --domain 5 --vdev xvda --target /srv/images/guest.img
  xbbd attach --domain 5 --vdev xvdb --target vg0/data --mode r      looked for below /dev: it begins without /
  xbbd attach --domain 5 --vdev xvdc --target memory:64M             forgotten when it is detached
  xbbd attach --domain 5 --vdev xvde --target 'nbd+unix:///?socket=/run/guest.nbd'   what an NBD server offers
  xbbd attach --domain 5 --vdev xvdc --target nvme0n1 --sector-size 512e   a disk of 4096-byte sectors, emulated
  xbbd attach --domain 5 --vdev xvdd --device-type cdrom --target '' an empty drive, for xbbd insert
`

/** Registers the command. */
export function addAttach(program: Command, context: CommandContext): void {
  const command = withDeviceOptions(program.command('attach'))
    .description('give a guest a disk')
    .requiredOption(
      '-t, --target <target>',
      "a path, nbd://HOST/EXPORT, memory:SIZE or null:SIZE; '' is a CD-ROM drive without a disc",
    )
    .addOption(new Option('-m, --mode <mode>', 'w: read and write, r: only read').choices(['w', 'r']).default('w'))
    .addOption(new Option('--device-type <type>', 'what the guest sees').choices(['disk', 'cdrom']).default('disk'))
    .option('--protocol <name>', 'ring layout for a guest that says nothing, such as x86_64-abi')
    .addOption(
      new Option('--sector-size <size>', "what the guest sees; 512e emulates 512 on 4096 (default: the medium's own)")
        .choices(SECTOR_FORMATS),
    )
    .option('--without <features>', `not to be offered, with commas: ${VETOABLE.join(', ')}`, readFeatures, [])
    .option('--wait <duration>', 'how long to wait until the disk is offered; 0 does not wait', readDuration, 10_000)
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const { domain: domid, vdev, target } = options
      const spec: AttachSpec = {
        domid,
        vdev,
        target,
        mode: options.mode,
        deviceType: options.deviceType,
        waitMs: options.wait,
        ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
        ...(options.sectorSize === undefined ? {} : { sectorFormat: options.sectorSize }),
        ...(options.without.length === 0 ? {} : { without: options.without }),
      }
      const outcome = await withDaemon(options, (client) =>
        withProgress(
          context.terminal,
          () => `waiting for ${vdev} of domain ${domid} to be offered`,
          client.call('attach', spec) as Promise<AttachOutcome>,
        ),
      )
      if (options.json) return context.terminal.out(json(outcome))
      context.terminal.out(`${describe(outcome)}\n`)
      for (const note of outcome.device.notes) context.terminal.note(note)
    })
  withDaemonOptions(command)
}

function readFeatures(text: string): Vetoable[] {
  const names = text.split(',').map((name) => name.trim())
  const features = VETOABLE.filter((feature) => names.includes(feature))
  if (features.length === new Set(names).size) return features
  throw new InvalidArgumentError(`features are ${VETOABLE.join(', ')}`)
}

function describe({ created, device }: AttachOutcome): string {
  const size = device.sectorCount === undefined ? '' : `, ${formatBytes(device.sectorCount * 512)}`
  const what = `${device.name} (${device.vdev}, ${device.mode === 'r' ? 'read-only' : 'read-write'}${size})`
  return `${what} ${created ? 'attached' : 'stood already'}: ${device.backendState}`
}
