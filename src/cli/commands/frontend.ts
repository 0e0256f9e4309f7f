/**
 * @packageDocumentation
 * `xbbd frontend`: a front end that does what a script says, over the embedded host. For whoever writes a front end
 * (what does a back end answer to this?), and for whoever keeps a fault from coming back. Ends with 1 when something
 * that the script expects did not come true.
 */
import { mkdirSync, readFileSync } from 'node:fs'
import { Option } from 'commander'
import type { Command } from 'commander'
import { XbbdError, sentenceOf } from '../../protocol/errors.js'
import type { Statement } from '../../script/ast.js'
import type { ScriptObserver, ScriptReport } from '../../script/run.js'
import type { Terminal } from '../terminal.js'
import { json, type CommandContext } from './context.js'

interface Options {
  readonly hostDir?: string
  readonly disk?: string
  readonly keep?: string
  readonly verbose?: boolean
  readonly check?: boolean
  readonly print?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd frontend examples/frontend/read-write.xbf       runs a script: host, daemon, memory disk of its own
  xbbd frontend -v lie.xbf                             shows each line and each answer
  printf 'connect\\nput read at 0 sectors 8 as r\\nexpect r okay\\n' | xbbd frontend -
  xbbd frontend --keep /tmp/run lie.xbf                the same, and the journals stay: xbbd lint /tmp/run/run/journal
  xbbd frontend --host-dir /run/xbbd/host lie.xbf      as a guest of an embedded host that runs already
  xbbd frontend --check *.xbf                          only reads them

The language is explained in docs/frontend-scripts.md.
`

/** Registers the command. */
export function addFrontend(program: Command, context: CommandContext): void {
  program
    .command('frontend')
    .description('be a front end that does what a script says, and see what the back end answers')
    .argument('<script...>', 'the scripts, one after the other; - is standard input')
    .addOption(new Option('--host-dir <dir>', 'join the embedded host in this directory, whatever daemon serves there'))
    .option('--disk <target>', 'attach this disk in place of one in memory')
    .addOption(new Option('--keep <dir>', 'make everything in this new folder, and keep it').conflicts('hostDir'))
    .option('-v, --verbose', 'show each line as it is executed, and each answer as it comes')
    .addOption(new Option('--check', 'only read the scripts, and say what is wrong with them').conflicts('print'))
    .option('--print', 'only read the scripts, and print them in their plain form')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((scripts: readonly string[], options: Options) => frontend(context, scripts, options))
}

async function frontend(context: CommandContext, files: readonly string[], options: Options): Promise<void> {
  const { terminal } = context
  const { parseScript } = await import('../../script/parse.js')
  const scripts = files.map((file) => ({ file, script: parseScript(textOf(file), file) }))
  if (options.print) {
    const { printScript } = await import('../../script/print.js')
    for (const { script } of scripts) terminal.out(printScript(script))
    return
  }
  if (options.check) return
  if (scripts.length > 1 && options.keep !== undefined)
    throw new XbbdError('XBBD_USAGE', '--keep keeps one run: name one script', { exitCode: 64 })
  const reports: (ScriptReport & { readonly script: string })[] = []
  const stop = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort())
  for (const { file, script } of scripts) {
    if (stop.signal.aborted) break
    const report = { script: file, ...(await run(script, options, terminal, stop.signal)) }
    reports.push(report)
    if (!report.ok) context.status = 1
    if (!options.json) tell(terminal, report)
  }
  if (options.json) terminal.out(json(reports))
}

function textOf(file: string): string {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8')
  } catch (cause) {
    const sentence = `cannot read the script ${file}: ${sentenceOf(cause)}`
    throw new XbbdError('XBBD_NO_INPUT', sentence, { cause, exitCode: 66 })
  }
}

function newFolder(path: string): string {
  try {
    mkdirSync(path)
    return path
  } catch (cause) {
    const sentence = `cannot make the folder ${path}: ${sentenceOf(cause)}: name a new one with --keep`
    throw new XbbdError('XBBD_FOLDER', sentence, { cause, exitCode: 73 })
  }
}

async function run(
  script: readonly Statement[], options: Options, terminal: Terminal, stop: AbortSignal,
): Promise<ScriptReport> {
  const [{ runScript }, { EmbeddedScriptPort }, { OwnHouse, JoinedHouse }, { systemClock }] = await Promise.all([
    import('../../script/run.js'),
    import('../../embedded/script-port.js'),
    import('../frontend/houses.js'),
    import('../../io/native/system-clock.js'),
  ])
  const { hostDir, disk: target, keep } = options
  const own = { ...(target !== undefined && { target }), ...(keep !== undefined && { keep: newFolder(keep) }) }
  const house = hostDir === undefined ? new OwnHouse(own) : new JoinedHouse(hostDir, target)
  const port = new EmbeddedScriptPort(house, systemClock)
  const interrupt = () => port.interrupt()
  stop.addEventListener('abort', interrupt)
  const report = await runScript(script, port, options.verbose ? traceOn(terminal) : {})
  stop.removeEventListener('abort', interrupt)
  return report
}

/** Lines as they are executed and answers as they come, on standard error. */
function traceOn(terminal: Terminal): ScriptObserver {
  return {
    statement: ({ line = 0 }, text) => terminal.err(`${String(line).padStart(4)}  ${text}\n`),
    answer: ({ id, status, request: { name } }) => {
      const who = name === undefined ? `id ${id}` : `${name} (id ${id})`
      terminal.err(`      <- ${who}: ${status === 0 ? 'okay' : status}\n`)
    },
  }
}

function tell(terminal: Terminal, report: ScriptReport & { readonly script: string }): void {
  const { script, failure, requests, answers, unanswered } = report
  const left = unanswered === 0 ? '' : `, ${unanswered} without an answer`
  if (!failure) return terminal.out(`${script}: as expected; ${requests} requests, ${answers} answers${left}\n`)
  const where = failure.line === 0 ? script : `${script}:${failure.line}: ${failure.statement}`
  terminal.note(`${where}: ${failure.sentence}`)
}
