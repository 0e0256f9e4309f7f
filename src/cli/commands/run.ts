/**
 * @packageDocumentation
 * `xbbd run`: the daemon, in the foreground, as a service manager wants it. Everything that it needs from the outside
 * is given to `serve`: the configuration's layers, the world, the log, the signals of this process. All that is loaded
 * only here (run/daemon.ts), for `xbbd list` is to answer within a tenth of a second. What nobody caught is a fault of
 * ours: it is logged with its stack and ends the process with 70; the journal is written before every effect, so the
 * next start finds things as they were.
 */
import type { Command } from 'commander'
import { DEFAULT_FILE, loadSettings, readConfigFile, settingsOrThrow } from '../config/load.js'
import { flagsFrom, settingOptions } from '../config/flags.js'
import { keepCodeIn } from '../run/code-cache.js'
import type { Log } from '../run/log.js'
import type { OpenWorld } from '../run/world.js'
import type { CommandContext } from './context.js'

const EXAMPLES = `
Signals:
  SIGTERM, SIGINT    park: answer what was taken, keep the guests' disks for the next start; twice: do not wait
  SIGHUP             read the configuration again; upgrade, when another build is installed

Examples:
  xbbd run
  xbbd run --run-dir /tmp/xbbd --log-level debug
  xbbd run --config ./xbbd.conf --workers 2
`

/** Registers the command; `openWorld` builds another world than the one that the settings name. */
export function addRun(program: Command, context: CommandContext, openWorld?: OpenWorld): void {
  const command = program
    .command('run')
    .description('run the daemon in the foreground')
    .option('-c, --config <file>', `the configuration (default: ${DEFAULT_FILE}, if it exists)`)
    .addHelpText('after', EXAMPLES)
  for (const option of settingOptions()) command.addOption(option)
  command.action(async (parsed: Readonly<Record<string, unknown>>) => {
    const file = typeof parsed.config === 'string' ? parsed.config : undefined
    const flags = flagsFrom(parsed)
    const layers = () => ({ file: readConfigFile(file), flags })
    keepCodeIn(settingsOrThrow(loadSettings(layers())).settings['run.dir'])
    const daemon = await import('../run/daemon.js')
    context.status = await daemon.serve({
      version: program.version() ?? 'unknown',
      layers,
      openWorld: openWorld ?? daemon.openWorld,
      openLog: (level) => ofProcess(daemon.openLog(level, process.stderr)),
      signals: process,
      environment: process.env,
      command: {
        interpreter: process.execPath, flags: process.execArgv, program: process.argv[1], args: process.argv.slice(2),
      },
    })
  })
}

/** The log, and with it the end of everything that nobody caught. */
function ofProcess(log: Log): Log {
  const fault = (error: unknown) => {
    const stack = error instanceof Error ? error.stack : undefined
    log.fatal({ error: String(error), stack }, 'a fault of xbbd ends the daemon; start it again')
    process.exit(70)
  }
  process.once('uncaughtException', fault)
  process.once('unhandledRejection', fault)
  return log
}
