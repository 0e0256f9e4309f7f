/**
 * @packageDocumentation
 * `xbbd replay`: folds recorded journals through the charts again and says whether the run obeyed them. Ends with 0
 * when all agree, with 1 when one does not; a journal of other charts is a comparison, its differences are information.
 */
import type { Command } from 'commander'
import type { ReplayReport } from '../../journal/replay.js'
import { renderTable, type Column } from '../table.js'
import { json, type CommandContext } from './context.js'

interface Options {
  readonly journal?: string
  readonly json?: boolean
  readonly compiled?: boolean
}

const EXAMPLES = `
Examples:
  xbbd replay /run/xbbd/journal
  xbbd replay /run/xbbd/journal --journal vbd/5/51712/q0
  xbbd replay segment-0003.xbj --json | jq '.journals[].divergences'
`

/** Registers the command. */
export function addReplay(program: Command, context: CommandContext): void {
  program
    .command('replay')
    .description('fold journals through the charts again and compare; ends with 1 when something differs')
    .argument('<path>', 'a journal file, or a folder of them')
    .option('-j, --journal <name>', 'only this journal, or all whose names begin so')
    .option('--compiled', 'leave XState out: ten times as fast, compares only the compiled charts')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((path: string, options: Options) => replay(context, path, options))
}

async function replay(context: CommandContext, path: string, options: Options): Promise<void> {
  const [{ openJournals, chainsNamed }, { replayJournals }] = await Promise.all([
    import('../../journal/journal-files.js'),
    import('../../journal/replay.js'),
  ])
  const files = openJournals(path)
  const chains = chainsNamed(files, path, options.journal)
  const report = replayJournals({ ...files, chains }, { compiledOnly: options.compiled === true })
  if (!report.agrees) context.status = 1
  if (options.json) return context.terminal.out(json(report))
  context.terminal.out(replayText(report))
  for (const sentence of report.problems) context.terminal.note(sentence)
  for (const { journal, divergences, divergenceCount, damage } of report.journals) {
    for (const sentence of damage) context.terminal.note(`${journal}: ${sentence}`)
    for (const { sentence } of divergences) context.terminal.note(`${journal}: ${sentence}`)
    const more = divergenceCount - divergences.length
    if (more > 0) context.terminal.note(`${journal}: and ${more} differences more`)
  }
}

const COLUMNS: readonly Column[] = [
  { title: 'JOURNAL' },
  { title: 'RUN' },
  { title: 'BATCHES', align: 'right' },
  { title: 'REQUESTS', align: 'right' },
  { title: 'STEPS', align: 'right' },
  { title: 'DIFFERENCES', align: 'right' },
  { title: 'VERDICT' },
]

/** The report for people. */
export function replayText({ journals }: ReplayReport): string {
  const rows = journals.map((one) => [
    one.journal, one.run, `${one.batches}`, one.requests === undefined ? '-' : `${one.requests}`, `${one.steps}`,
    `${one.divergenceCount}`, one.agrees ? (one.otherCharts ? 'other charts' : 'agrees') : 'DIFFERS',
  ])
  return renderTable(COLUMNS, rows)
}
