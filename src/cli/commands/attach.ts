/**
 * @packageDocumentation
 * `xbbd attach`: makes a disk for a guest as a toolstack would, by asking the daemon to write both halves in XenStore
 * and waiting until the back end offers the disk or says why not.
 */
import { Option, type Command } from 'commander'
import type { AttachOutcome, AttachSpec } from '../../ports/daemon-api.js'
import { withProgress } from '../progress.js'
import { formatBytes } from '../units.js'
import { json, readDomid, readDuration, withDaemon, withDaemonOptions, type CommandContext } from './context.js'
import type { DaemonOptions } from './context.js'

interface Options extends DaemonOptions {
  readonly mode: 'r' | 'w'
  readonly type: 'disk' | 'cdrom'
  readonly protocol?: string
  readonly wait: number
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd attach 5 xvda /srv/images/guest.img
  xbbd attach 5 xvdb vg0/data --mode r         a name without / at its front is looked for below /dev
  xbbd attach 5 xvdc memory:64M                forgotten when it is detached
`

/** Registers the command. */
export function addAttach(program: Command, context: CommandContext): void {
  const command = program
    .command('attach')
    .description('give a guest a disk')
    .argument('<domid>', 'the guest', readDomid)
    .argument('<vdev>', 'the disk as the guest names it: xvda, sdb, hdc, 51712')
    .argument('<target>', 'what stands behind it: a path, memory:SIZE or null:SIZE')
    .addOption(new Option('-m, --mode <mode>', 'w: read and write, r: only read').choices(['w', 'r']).default('w'))
    .addOption(new Option('--type <type>', 'what the guest sees').choices(['disk', 'cdrom']).default('disk'))
    .option('--protocol <name>', 'ring layout for a guest that says nothing, such as x86_64-abi')
    .option('--wait <duration>', 'how long to wait until the disk is offered; 0 does not wait', readDuration, 10_000)
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (domid: number, vdev: string, target: string, options: Options) => {
      const spec: AttachSpec = {
        domid,
        vdev,
        target,
        mode: options.mode,
        deviceType: options.type,
        waitMs: options.wait,
        ...(options.protocol === undefined ? {} : { protocol: options.protocol }),
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

function describe({ created, device }: AttachOutcome): string {
  const size = device.sectorCount === undefined ? '' : `, ${formatBytes(device.sectorCount * 512)}`
  const what = `${device.name} (${device.vdev}, ${device.mode === 'r' ? 'read-only' : 'read-write'}${size})`
  return `${what} ${created ? 'attached' : 'stood already'}: ${device.backendState}`
}
