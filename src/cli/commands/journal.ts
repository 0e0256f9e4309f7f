/**
 * @packageDocumentation
 * `xbbd journal cat` and `xbbd journal check`: what a journal holds, and whether it is what was written. Both read
 * files or the pool's folder while a daemon writes there; neither changes anything. `cat` prints as it reads, some
 * hundred lines at a time.
 */
import { InvalidArgumentError, type Command } from 'commander'
import type { CatEntry } from '../../journal/cat.js'
import type { CheckReport } from '../../journal/check.js'
import { XbbdError } from '../../protocol/errors.js'
import { renderTable, type Column } from '../table.js'
import { json, type CommandContext } from './context.js'
import type { Terminal } from '../terminal.js'

const DATA_ERROR = 65
const LINES_AT_ONCE = 512

const EXAMPLES = `
Examples:
  xbbd journal cat /run/xbbd/journal
  xbbd journal cat /run/xbbd/journal --journal vbd/5/51712/q0 --from 800 --to 812
  xbbd journal cat /run/xbbd/journal --json | jq 'select(.record.kind == "entered")'
  xbbd journal check /run/xbbd/journal
`

interface CatOptions {
  readonly journal?: string
  readonly json?: boolean
  readonly from?: number
  readonly to?: number
}

/** Registers `journal` with its two commands. */
export function addJournal(program: Command, context: CommandContext): void {
  const journal = program.command('journal').description('read or check journals').addHelpText('after', EXAMPLES)
  journal
    .command('cat')
    .description('print the records of journals, one a line')
    .argument('<path>', 'a journal file, or a folder of them')
    .option('-j, --journal <name>', 'only this journal, or all whose names begin so')
    .option('--from <batch>', 'from this batch on', readBatchNumber)
    .option('--to <batch>', 'up to this batch', readBatchNumber)
    .option('--json', 'print one JSON object a line')
    .action((path: string, options: CatOptions) => cat(context.terminal, path, options))
  journal
    .command('check')
    .description('check every checksum, number and record; ends with 65 when something is damaged')
    .argument('<path>', 'a journal file, or a folder of them')
    .option('--json', 'print JSON')
    .action((path: string, options: { json?: boolean }) => check(context, path, options.json === true))
}

function readBatchNumber(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('a batch is a number, as `xbbd journal cat` prints it')
}

async function cat(terminal: Terminal, path: string, options: CatOptions): Promise<void> {
  const [{ openJournals, chainsNamed }, { catChain, catLine }] = await Promise.all([
    import('../../journal/journal-files.js'),
    import('../../journal/cat.js'),
  ])
  const files = openJournals(path)
  for (const { file, offset, sentence } of files.problems) terminal.note(`${file}, byte ${offset}: ${sentence}`)
  const chains = chainsNamed(files, path, options.journal)
  const line = options.json ? (entry: CatEntry) => JSON.stringify(entry) : catLine
  let lines: string[] = []
  const flush = async () => {
    terminal.out(lines.map((text) => `${text}\n`).join(''))
    lines = []
    // Lets the stream drain, and a closed pipe end the process.
    await new Promise((resolve) => void setImmediate(resolve))
  }
  for (const chain of chains) {
    for (const entry of catChain(chain, options)) {
      if (lines.push(line(entry)) >= LINES_AT_ONCE) await flush()
    }
  }
  await flush()
}

async function check(context: CommandContext, path: string, asJson: boolean): Promise<void> {
  const [{ openJournals }, { checkJournal }] = await Promise.all([
    import('../../journal/journal-files.js'),
    import('../../journal/check.js'),
  ])
  const files = openJournals(path)
  const report = checkJournal(files)
  if (report.journals.length === 0 && report.problemCount === 0) {
    const sentence = `${path} holds no journal: name a journal file or the folder of the pool (journal.directory)`
    throw new XbbdError('XBBD_NO_INPUT', sentence, { exitCode: 66 })
  }
  if (report.problemCount > 0) context.status = DATA_ERROR
  if (asJson) return context.terminal.out(json(report))
  context.terminal.out(checkText(report))
  for (const { file, offset, sentence } of report.problems)
    context.terminal.note(`${file}, byte ${offset}: ${sentence}`)
  const more = report.problemCount - report.problems.length
  if (more > 0) context.terminal.note(`and ${more} problems more`)
}

const COLUMNS: readonly Column[] = [
  { title: 'JOURNAL' },
  { title: 'RUN' },
  { title: 'SEGMENTS', align: 'right' },
  { title: 'RECYCLED', align: 'right' },
  { title: 'BATCHES', align: 'right' },
  { title: 'RECORDS', align: 'right' },
  { title: 'BYTES', align: 'right' },
  { title: 'TAIL' },
]

/** The report for people. */
export function checkText({ journals }: CheckReport): string {
  const rows = journals.map((one) => [
    one.journal, one.run, `${one.segments}`, `${one.recycled}`, `${one.batches}`, `${one.records}`, `${one.bytes}`,
    one.tail ?? 'damaged',
  ])
  return renderTable(COLUMNS, rows)
}
