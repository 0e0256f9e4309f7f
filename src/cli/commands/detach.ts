/**
 * @packageDocumentation
 * `xbbd detach`: takes a guest's disk away in good order: the front end is asked to close, everything taken is
 * answered, both directories go. `--force` is for a guest that does not answer; what it was owed is abandoned and
 * counted.
 */
import type { Command } from 'commander'
import type { DetachOutcome, DetachSpec } from '../../ports/daemon-api.js'
import { withProgress } from '../progress.js'
import { json, readDuration, withDaemon, withDaemonOptions, withDeviceOptions } from './context.js'
import type { CommandContext, DaemonOptions, DeviceOptions } from './context.js'

interface Options extends DaemonOptions, DeviceOptions {
  readonly force?: boolean
  readonly wait: number
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd detach --domain 5 --vdev xvda
  xbbd detach --domain 5 --vdev xvda --force       when the guest no longer answers
`

/** EX_TEMPFAIL: asked, but not done within the time. */
const NOT_YET = 75

/** Registers the command. */
export function addDetach(program: Command, context: CommandContext): void {
  const command = withDeviceOptions(program.command('detach'))
    .description("take a guest's disk away")
    .option('-f, --force', 'do not wait for the guest: abandon what it was not yet answered')
    .option('--wait <duration>', 'how long to wait until it is closed; 0 asks and returns', readDuration, 10_000)
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const { domain: domid, vdev } = options
      const spec: DetachSpec = { domid, vdev, waitMs: options.wait, force: options.force === true }
      const outcome = await withDaemon(options, (client) =>
        withProgress(
          context.terminal,
          () => `waiting for domain ${domid} to let go of ${vdev}`,
          client.call('detach', spec) as Promise<DetachOutcome>,
        ),
      )
      if (options.json) context.terminal.out(json(outcome))
      report(context, `${vdev} of domain ${domid}`, outcome, options)
    })
  withDaemonOptions(command)
}

function report(context: CommandContext, what: string, outcome: DetachOutcome, options: Options): void {
  const { terminal } = context
  if (outcome.existed && !outcome.removed && options.wait > 0) {
    context.status = NOT_YET
    const why = options.force
      ? 'its medium has not given back every request; `xbbd list` shows when it has'
      : 'the guest still holds it; wait, or detach it with --force'
    terminal.note(`${what} is not closed yet: ${why}`)
    return
  }
  if (options.json) return
  const outcomeText = !outcome.existed ? 'was not attached' : outcome.removed ? 'detached' : 'asked to close'
  terminal.out(`${what} ${outcomeText}\n`)
}
