/**
 * @packageDocumentation
 * What every command gets, and what several commands share: finding the daemon's socket, talking to it, options that
 * mean the same everywhere, arguments read by the same parsers as the configuration.
 */
import { InvalidArgumentError, Option, type Command } from 'commander'
import { controlSocketOf } from '../config/cross-check.js'
import { loadSettings, readConfigFile, settingsOrThrow } from '../config/load.js'
import { ControlClient } from '../control/client.js'
import { DOMID_MAX } from '../../protocol/keys.js'
import type { Terminal } from '../terminal.js'
import { parseDuration } from '../units.js'

/** One run of the command line. A command that fails without an error sets `status`. */
export interface CommandContext {
  readonly terminal: Terminal
  status: number
}

/** Options of every command that talks to a daemon. */
export interface DaemonOptions {
  readonly socket?: string
  readonly config?: string
}

/** Adds `--socket` and `--config`. */
export function withDaemonOptions(command: Command): Command {
  return command
    .addOption(new Option('-s, --socket <path>', 'control socket of the daemon').helpGroup('Which daemon:'))
    .addOption(
      new Option('-c, --config <file>', 'configuration that names the socket (default: /etc/xbbd/xbbd.conf)').helpGroup(
        'Which daemon:',
      ),
    )
}

/** Options of every command that is about one disk of one guest. */
export interface DeviceOptions {
  readonly domain: number
  readonly vdev: string
}

/** Adds `--domain` and `--vdev`, both required. */
export function withDeviceOptions(command: Command): Command {
  return command
    .requiredOption('-d, --domain <domid>', 'the guest', readDomid)
    .requiredOption('-v, --vdev <vdev>', 'the disk as the guest names it: xvda, sdb, hdc, 51712')
}

/** Connects to the daemon that the options mean, and closes the connection after `use`. */
export async function withDaemon<T>(options: DaemonOptions, use: (client: ControlClient) => Promise<T>): Promise<T> {
  const client = await ControlClient.connect(daemonSocketOf(options))
  try {
    return await use(client)
  } finally {
    client.close()
  }
}

/** The control socket that the options mean. */
export function daemonSocketOf(options: DaemonOptions): string {
  if (options.socket !== undefined) return options.socket
  const { settings } = settingsOrThrow(loadSettings({ file: readConfigFile(options.config) }))
  return controlSocketOf(settings)
}

/** Reads the number of a domain. */
export function readDomid(text: string): number {
  const domid = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN
  if (domid >= 0 && domid <= DOMID_MAX) return domid
  throw new InvalidArgumentError(`a domid is a number from 0 to ${DOMID_MAX} (on Xen \`xl list\` shows them)`)
}

/** Reads a duration option into milliseconds. */
export function readDuration(text: string): number {
  const milliseconds = parseDuration(text)
  if (milliseconds !== undefined) return milliseconds
  throw new InvalidArgumentError('a duration has a unit: 250ms, 10s, 5m (or 0)')
}

/** Text for `--json`: one value, indented, a newline. */
export function json(value: unknown): string {
  return `${JSON.stringify(value, undefined, 2)}\n`
}
