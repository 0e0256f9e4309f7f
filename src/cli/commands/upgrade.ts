/**
 * @packageDocumentation
 * `xbbd upgrade`: changes the running daemon to the program that is installed now, or to another, while guests keep
 * their disks and see a pause. The new process is looked at first; when it could not go on from every journal, this
 * ends with a sentence and nothing has happened. `--check` looks and stops there.
 */
import type { Command } from 'commander'
import { resolve } from 'node:path'
import { isObject } from '../control/protocol.js'
import { pendingText } from '../pending.js'
import { withProgress } from '../progress.js'
import { renderTable, type Column } from '../table.js'
import { formatNanoseconds } from '../units.js'
import { buildText } from '../upgrade/build.js'
import type { ProcessIdentity } from '../upgrade/upgrader.js'
import type { UpgradeOutcome } from '../upgrade/handover.js'
import { json, withDaemon, withDaemonOptions, type CommandContext, type DaemonOptions } from './context.js'

interface Options extends DaemonOptions {
  readonly program?: string
  readonly check?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd upgrade                                 to what is installed now, where the daemon was started from
  xbbd upgrade --check                         could it take over? nothing is changed
  xbbd upgrade --program /opt/xbbd-next/cli/main.js
`

/** Registers the command. */
export function addUpgrade(program: Command, { terminal }: CommandContext): void {
  const command = program
    .command('upgrade')
    .description('change the running daemon to the installed version; guests see a pause')
    .option('--program <file>', 'main file of the program (default: the one that the daemon was started from)')
    .option('--check', 'only look whether the new version could take over')
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      let step = 'asking the daemon'
      const progress = (event: unknown) => {
        if (isObject(event) && typeof event.step === 'string') step = event.step
      }
      const chosen = options.program === undefined ? {} : { program: resolve(options.program) }
      const outcome = await withDaemon(options, (client) => {
        const call = client.call('upgrade', { check: options.check === true, ...chosen }, progress)
        return withProgress(terminal, () => step, call as Promise<UpgradeOutcome>)
      })
      terminal.out(options.json ? json(outcome) : describe(outcome))
    })
  withDaemonOptions(command)
}

const COLUMNS: readonly Column[] = [{ title: 'DEVICE' }, { title: 'STATE' }, { title: 'PAUSE', align: 'right' }]

function describe({ checked, from, to, devices, left }: UpgradeOutcome): string {
  if (checked) return `${who(to)} could take over from ${who(from)}, process ${from.pid}\n`
  const head = `${who(from)}, process ${from.pid} → ${who(to)}, process ${to.pid}\n`
  const rows = devices.map(({ name, state, pauseMs }) => [
    name, state, pauseMs === undefined ? '-' : formatNanoseconds(pauseMs * 1e6),
  ])
  const table = rows.length === 0 ? '' : `\n${renderTable(COLUMNS, rows)}`
  const waits = left.length === 0 ? '' : `\nI/O that the old process left is awaited: ${pendingText(left)}\n`
  return head + table + waits
}

function who(identity: ProcessIdentity): string {
  return `xbbd ${buildText(identity)}`
}
