/**
 * @packageDocumentation
 * `xbbd config check` reads a configuration as the daemon would and prints every problem at once; `xbbd config show`
 * prints what results, and where each value came from. Neither needs a daemon, unless `show --running` asks one.
 */
import type { Command } from 'commander'
import { printValue } from '../config/kinds.js'
import { DEFAULT_FILE, loadSettings, readConfigFile, settingsOrThrow, type Origins } from '../config/load.js'
import { settingKeys, settingOf, type Settings } from '../config/schema.js'
import { renderTable } from '../table.js'
import { json, withDaemon, type CommandContext, type DaemonOptions } from './context.js'

const CONFIG_ERROR = 78

const EXAMPLES = `
Examples:
  xbbd config check                            what would the daemon say to ${DEFAULT_FILE}?
  xbbd config check ./xbbd.conf
  xbbd config show --json | jq '."journal.size"'
`

/** Registers `config` with its two commands. */
export function addConfig(program: Command, context: CommandContext): void {
  const config = program.command('config').description('check or show the configuration').addHelpText('after', EXAMPLES)
  config
    .command('check')
    .description('print every problem of a configuration; ends with 78 when there is one')
    .argument('[file]', `the configuration (default: ${DEFAULT_FILE})`)
    .option('--json', 'print JSON')
    .action((file: string | undefined, options: { json?: boolean }) => check(context, file, options.json === true))
  config
    .command('show')
    .description('print every setting, its value and where it came from')
    .option('-c, --config <file>', `the configuration (default: ${DEFAULT_FILE})`)
    .option('-s, --socket <path>', 'control socket of the daemon, with --running')
    .option('--running', 'ask the running daemon for what is in force there')
    .option('--json', 'print JSON: sizes in bytes, durations in milliseconds')
    .action((options: DaemonOptions & { running?: boolean; json?: boolean }) => show(context, options))
}

function check(context: CommandContext, file: string | undefined, asJson: boolean): void {
  const { terminal } = context
  const content = readConfigFile(file)
  const loaded = loadSettings({ file: content })
  const problems = loaded.ok ? [] : loaded.problems
  if (problems.length > 0) context.status = CONFIG_ERROR
  if (asJson) return terminal.out(json({ file: content?.path ?? null, problems }))
  for (const { where, sentence } of problems) terminal.note(`${where}: ${sentence}`)
  if (problems.length === 0) {
    const what = content?.path ?? `no ${DEFAULT_FILE} (all settings have their defaults)`
    terminal.out(`${what}: no problems\n`)
  }
}

async function show({ terminal }: CommandContext, options: DaemonOptions & { running?: boolean; json?: boolean }) {
  const { settings, origins } = options.running
    ? await withDaemon(options, (client) => client.call('config') as Promise<{ settings: Settings; origins: Origins }>)
    : settingsOrThrow(loadSettings({ file: readConfigFile(options.config) }))
  if (options.json) return terminal.out(json(settings))
  const rows = settingKeys.map((key) => [key, printValue(settingOf(key).kind, settings[key]) || '""', origins[key]])
  terminal.out(renderTable([{ title: 'SETTING' }, { title: 'VALUE' }, { title: 'FROM' }], rows))
}
