/**
 * @packageDocumentation
 * `xbbd stop`: ends the daemon, and waits until it is done. Stopping is not closing: without `--close` the disks are
 * *parked*, guests see a pause and the next `xbbd run` goes on; with it every front end is closed for good.
 */
import type { Command } from 'commander'
import type { StopMode, StopOutcome } from '../../ports/daemon-api.js'
import type { StopProgress } from '../control/methods.js'
import { isObject } from '../control/protocol.js'
import { pendingText } from '../pending.js'
import { withProgress } from '../progress.js'
import { json, readDuration, withDaemon, withDaemonOptions } from './context.js'
import type { CommandContext, DaemonOptions } from './context.js'

interface Options extends DaemonOptions {
  readonly close?: boolean
  readonly timeout?: number
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd stop                                    park: guests see a pause, the next start goes on
  xbbd stop --close                            close every disk: guests lose them
  xbbd stop --timeout 30s                      do not wait longer than that for media that hang
`

/** EX_TEMPFAIL: it stopped, but something was left. */
const SOMETHING_LEFT = 75

/** Registers the command. */
export function addStop(program: Command, context: CommandContext): void {
  const command = program
    .command('stop')
    .description('end the daemon; guests keep their disks unless --close is given')
    .option('--close', 'close every disk instead of parking it')
    .option('--timeout <duration>', 'how long to wait for media that hang, 0 for ever', readDuration)
    .option('--json', 'print the outcome as JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const mode: StopMode = options.close ? 'close' : 'park'
      const outcome = await stop(context, mode, options)
      if (options.json) context.terminal.out(json(outcome))
      else context.terminal.out(describe(outcome))
      if (outcome.left.length > 0) context.status = SOMETHING_LEFT
    })
  withDaemonOptions(command)
}

function stop({ terminal }: CommandContext, mode: StopMode, options: Options): Promise<StopOutcome> {
  const timeout = options.timeout === undefined ? {} : { timeoutMs: options.timeout }
  let waiting = mode === 'park' ? 'parking' : 'closing'
  const progress = (event: unknown) => {
    if (isObject(event) && Array.isArray(event.pending))
      waiting = `waiting for ${pendingText((event as unknown as StopProgress).pending)}`
  }
  return withDaemon(options, async (client) => {
    const call = client.call('stop', { mode, ...timeout }, progress) as Promise<StopOutcome>
    const outcome = await withProgress(terminal, () => waiting, call)
    await client.ended // the process is about to be gone: a next start finds the way free
    return outcome
  })
}

function describe({ mode, devices, left }: StopOutcome): string {
  const count = devices === 1 ? '1 disk' : `${devices} disks`
  if (left.length === 0) return `${count} ${mode === 'park' ? 'parked' : 'closed'}, daemon stopped\n`
  return `daemon stopped before everything was done; left: ${pendingText(left)}\n`
}
