/**
 * @packageDocumentation
 * `xbbd lint`: what a front end does that it should not, by named rules, from what the back end recorded of it. For who
 * writes a front end, and for who must tell whose fault something is. Of a daemon that runs the journals are read as
 * files, like any others; it is not disturbed. Ends with 1 when there is an error or a warning.
 */
import { existsSync } from 'node:fs'
import { Option } from 'commander'
import type { Command } from 'commander'
import type { LintReport } from '../../lint/lint.js'
import type { DeviceListing } from '../../ports/daemon-api.js'
import { XbbdError } from '../../protocol/errors.js'
import { json, withDaemon, withDaemonOptions, type CommandContext, type DaemonOptions } from './context.js'

interface Options extends DaemonOptions {
  readonly journal?: string
  readonly rules?: boolean
  readonly strict?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd lint /var/tmp/journal             every front end of this recording
  xbbd lint vbd/5/51712                  that of a disk of the daemon that runs, by its name, or by xvda
  xbbd lint journal/ -j vbd/5/51712      one of them
  xbbd lint --rules                      what is judged, and where it is written
  xbbd lint journal/ --json | jq '.findings[] | select(.severity == "error") | .evidence'
`

/** Registers the command. */
export function addLint(program: Command, context: CommandContext): void {
  const command = program
    .command('lint')
    .description('judge a front end by what was recorded of it, by named rules')
    .argument('[what]', 'a journal file or folder, or a device of the daemon (default: every device of the daemon)')
    .option('-j, --journal <name>', 'only this device of a journal')
    .addOption(new Option('--rules', 'list the rules').conflicts('journal'))
    .option('--strict', 'end with 1 for a note, too')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((what: string | undefined, options: Options) => lint(context, what, options))
  withDaemonOptions(command)
}

async function lint(context: CommandContext, what: string | undefined, options: Options): Promise<void> {
  const { terminal } = context
  const text = await import('../lint/report-text.js')
  if (options.rules) {
    const { rules } = await import('../../lint/rules/index.js')
    return terminal.out(options.json ? json(rules) : text.rulesText(rules))
  }
  const live = what === undefined || !existsSync(what)
  const { path, device } = live ? await ofDaemon(what, options) : { path: what, device: options.journal }
  const report = await reportOn(path, device)
  if (!report.clean || (options.strict && report.findings.length > 0)) context.status = 1
  if (options.json) return terminal.out(json(report))
  terminal.out(text.findingsText(report))
  for (const [why, names] of text.unjudgedByReason(report)) terminal.note(`${names.join(', ')}: not judged, ${why}`)
  for (const problem of report.problems) terminal.note(problem)
  terminal.out(text.summaryText(report))
}

async function reportOn(path: string, device: string | undefined): Promise<LintReport> {
  const [{ openJournals, chainsNamed }, { lintChains }] = await Promise.all([
    import('../../journal/journal-files.js'),
    import('../../lint/lint.js'),
  ])
  const files = openJournals(path)
  const report = lintChains(chainsNamed(files, path, device))
  const unread = files.problems.map(({ file, offset, sentence }) => `${file}, byte ${offset}: ${sentence}`)
  return { ...report, problems: [...unread, ...report.problems] }
}

/** Where the daemon's journals are, and how the device is called there. */
async function ofDaemon(what: string | undefined, options: Options): Promise<{ path: string; device?: string }> {
  const [listing, runDir] = await withDaemon(options, async (client) => {
    const { settings } = (await client.call('config')) as { settings: Readonly<Record<string, string>> }
    return [(await client.call('list')) as DeviceListing[], settings['run.dir']] as const
  })
  const path = `${runDir}/journal`
  if (what === undefined) return { path }
  const wanted = listing.filter(({ name, vdev }) => what === name || what === vdev)
  if (wanted.length === 1) return { path, device: wanted[0].name }
  const names = listing.map(({ name, vdev }) => `${name} (${vdev})`).join(', ') || 'no device'
  const which = wanted.length > 1 ? `${what} is not unique` : `there is no file and no device ${what}`
  throw new XbbdError('XBBD_NO_DEVICE', `${which}; the daemon has ${names}`, { exitCode: 66 })
}
