/**
 * @packageDocumentation
 * `xbbd journal cat`, `check` and `export`: what a journal holds, whether it is what was written, and what other tools
 * make of it. All read
 * files or the pool's folder while a daemon writes there; neither changes anything. `cat` prints as it reads, some
 * hundred lines at a time.
 */
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { CatEntry } from '../../journal/cat.js'
import type { CheckReport } from '../../journal/check.js'
import { XbbdError } from '../../protocol/errors.js'
import type { ExportFormat } from '../journal/export.js'
import { renderTable, type Column } from '../table.js'
import { formatBytes } from '../units.js'
import { json, type CommandContext } from './context.js'
import type { Terminal } from '../terminal.js'

const DATA_ERROR = 65
const LINES_AT_ONCE = 512

const EXAMPLES = `
Examples:
  xbbd journal cat /run/xbbd/journal
  xbbd journal cat /run/xbbd/journal --journal vbd/5/51712/q0 --from 800 --to 812
  xbbd journal cat /run/xbbd/journal --json | jq 'select(.record.kind == "entered")'
  xbbd journal cat /run/xbbd/journal --journal vbd/5/51712 --merge       device and queues in one order
  xbbd journal check /run/xbbd/journal
  xbbd journal export /run/xbbd/journal --format chrome --output disk.json     open it at ui.perfetto.dev
  xbbd journal export /run/xbbd/journal --format perfetto --output disk.pftrace
  xbbd journal export /run/xbbd/journal --format blktrace --output disk && blkparse -s -i disk
  xbbd journal export /run/xbbd/journal --format json | jq 'select(.status == -1)'
`

interface CatOptions {
  readonly journal?: string
  readonly json?: boolean
  readonly merge?: boolean
  readonly from?: number
  readonly to?: number
}

/** Registers `journal` with its commands. */
export function addJournal(program: Command, context: CommandContext): void {
  const journal = program.command('journal').description('read, check or export journals')
  journal.addHelpText('after', EXAMPLES)
  journal
    .command('cat')
    .description('print the records of journals, one a line')
    .argument('<path>', 'a journal file, or a folder of them')
    .option('-j, --journal <name>', 'only this journal, or all whose names begin so')
    .option('--from <batch>', 'from this batch on', readBatchNumber)
    .option('--to <batch>', 'up to this batch', readBatchNumber)
    .option('--merge', 'all journals in one order of time, instead of one after the other')
    .option('--json', 'print one JSON object a line')
    .action((path: string, options: CatOptions) => cat(context.terminal, path, options))
  journal
    .command('check')
    .description('check every checksum, number and record; ends with 65 when something is damaged')
    .argument('<path>', 'a journal file, or a folder of them')
    .option('--json', 'print JSON')
    .action((path: string, options: { json?: boolean }) => check(context, path, options.json === true))
  addExport(journal, context)
}

function addExport(journal: Command, context: CommandContext): void {
  journal
    .command('export')
    .description('write a timeline of requests and states for other tools')
    .argument('<path>', 'a journal file, or a folder of them')
    .addOption(new Option('-f, --format <format>', 'what to write').choices(['json', 'chrome', 'perfetto', 'blktrace'])
      .default('json'))
    .option('-o, --output <file>', 'where to; of blktrace the name before .blktrace.0 (default: standard output)')
    .option('-j, --journal <name>', 'only this journal, or all whose names begin so')
    .addHelpText('after', EXAMPLES)
    .action((path: string, options: ExportOptions) => exportJournal(context.terminal, path, options))
}

interface ExportOptions {
  readonly format: ExportFormat
  readonly output?: string
  readonly journal?: string
}

async function exportJournal(terminal: Terminal, path: string, options: ExportOptions): Promise<void> {
  const { format, output, journal } = options
  const [{ openJournals, chainsToFold }, exporting] = await Promise.all([
    import('../../journal/journal-files.js'),
    import('../journal/export.js'),
  ])
  if (format === 'blktrace' && output === undefined) {
    const sentence = 'blkparse finds its input by a name: give one with --output (NAME becomes NAME.blktrace.0)'
    throw new XbbdError('XBBD_USAGE', sentence, { exitCode: 64 })
  }
  const files = openJournals(path)
  for (const { file, offset, sentence } of files.problems) terminal.note(`${file}, byte ${offset}: ${sentence}`)
  const chains = chainsToFold(files, path, journal)
  const pieces = exporting.exportPieces(chains, format, (sentence) => terminal.note(sentence))
  if (output !== undefined) {
    const file = exporting.exportPath(output, format)
    const bytes = exporting.writePieces(file, pieces)
    return terminal.note(`${file}: ${formatBytes(bytes)}`)
  }
  for (const chunk of exporting.chunksOf(pieces)) {
    terminal.outBytes(chunk)
    // Lets the stream drain, and a closed pipe end the process.
    await new Promise((resolve) => void setImmediate(resolve))
  }
}

function readBatchNumber(text: string): number {
  if (/^\d{1,10}$/.test(text)) return Number(text)
  throw new InvalidArgumentError('a batch is a number, as `xbbd journal cat` prints it')
}

async function cat(terminal: Terminal, path: string, options: CatOptions): Promise<void> {
  const [{ openJournals, chainsNamed }, { catChain, catLine, catMerged }] = await Promise.all([
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
  const streams = options.merge ? [catMerged(chains)] : chains.map((chain) => catChain(chain, options))
  for (const stream of streams)
    for (const entry of stream) if (lines.push(line(entry)) >= LINES_AT_ONCE) await flush()
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
