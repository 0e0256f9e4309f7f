/**
 * @packageDocumentation
 * The tree of commands, by commander. Each command is a module below commands/ that adds itself; what it needs from
 * the rest of the program it imports when it runs, so that `xbbd list` does not load the charts and answers within
 * a tenth of a second. Errors have one form everywhere:
 *
 *   xbbd: <one sentence with what to do>          on standard error
 *   64 usage · 65 data · 66 no input · 69 no daemon · 70 our fault · 75 try again · 77 not allowed · 78 configuration
 */
import { Command, CommanderError } from 'commander'
import { sentenceOf, XbbdError } from '../protocol/errors.js'
import { addAttach } from './commands/attach.js'
import { addChart } from './commands/chart.js'
import { addCompletion } from './commands/completion.js'
import { addConfig } from './commands/config.js'
import { addDemo } from './commands/demo.js'
import { addDetach } from './commands/detach.js'
import { addEject, addInsert } from './commands/disc.js'
import { addLimit } from './commands/limit.js'
import { addResize } from './commands/resize.js'
import { addDoctor } from './commands/doctor.js'
import { addExplain } from './commands/explain.js'
import { addFrontend } from './commands/frontend.js'
import { addHost } from './commands/host.js'
import { addJournal } from './commands/journal.js'
import { addLint } from './commands/lint.js'
import { addList } from './commands/list.js'
import { addRedrive } from './commands/redrive.js'
import { addReplay } from './commands/replay.js'
import { addRun } from './commands/run.js'
import { addSimulate } from './commands/simulate.js'
import { addStop } from './commands/stop.js'
import { addTop } from './commands/top.js'
import { addUpgrade } from './commands/upgrade.js'
import { addView } from './commands/view.js'
import type { CommandContext } from './commands/context.js'
import { packageVersion } from './version.js'
import type { Terminal } from './terminal.js'

/** Every command that works. */
export function buildProgram(context: CommandContext): Command {
  const program = new Command('xbbd')
    .description('A Xen block back end in user space: gives guests virtual disks over the blkif protocol.')
    .version(packageVersion(), '-V, --version', 'print the version')
    .helpOption('-h, --help', 'explain a command')
    .helpCommand('help [command]', 'explain a command')
    .showSuggestionAfterError(true)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => context.terminal.out(text),
      writeErr: (text) => context.terminal.err(text),
      outputError: () => undefined, // runCommandLine says it in our own words
    })
  addRun(program, context)
  const commands = [
    addDemo, addHost, addStop, addUpgrade, addAttach, addDetach, addInsert, addEject, addResize, addLimit, addList,
    addTop, addDoctor, addJournal, addReplay, addRedrive, addSimulate, addFrontend, addLint, addExplain, addView,
    addChart, addConfig, addCompletion,
  ]
  for (const add of commands) add(program, context)
  inheritSettings(program)
  return program
}

/** Runs one command line. @returns the status with which the process ends; never rejects. */
export async function runCommandLine(args: readonly string[], terminal: Terminal): Promise<number> {
  const context: CommandContext = { terminal, status: 0 }
  const program = buildProgram(context)
  try {
    if (args.length === 0) {
      terminal.out(program.helpInformation())
      return 64
    }
    await program.parseAsync(args, { from: 'user' })
    return context.status
  } catch (error) {
    if (error instanceof CommanderError) return usageStatus(error, terminal)
    terminal.note(sentenceOf(error))
    if (error instanceof XbbdError) return error.exitCode
    return 70
  }
}

/** commander's own findings: help and version are no errors; the rest becomes one sentence with the cure. */
function usageStatus(error: CommanderError, terminal: Terminal): number {
  if (error.exitCode === 0) return 0
  if (error.code === 'commander.help') return 64
  const sentence = error.message.replace(/^error: /, '').replaceAll('\n', ' ')
  terminal.note(`${sentence}; \`xbbd help\` lists the commands and \`xbbd <command> --help\` explains one`)
  return 64
}

/** Subcommands made with `command()` inherit these; those added as objects would not, so it is done for all. */
function inheritSettings(command: Command): void {
  for (const child of command.commands) {
    child.copyInheritedSettings(command)
    child.showHelpAfterError(false)
    inheritSettings(child)
  }
}
