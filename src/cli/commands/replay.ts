/**
 * @packageDocumentation
 * `xbbd replay`: folds recorded journals through the charts again and says whether the run obeyed them. Ends with 0
 * when all agree, with 1 when one does not; a journal of other charts is a comparison, its differences are information.
 */
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { JournalFiles } from '../../journal/journal-files.js'
import type { ReplayReport } from '../../journal/replay.js'
import { XbbdError } from '../../protocol/errors.js'
import { progressBetween } from '../progress.js'
import { renderTable, type Column } from '../table.js'
import { json, type CommandContext } from './context.js'

interface Options {
  readonly journal?: string
  readonly json?: boolean
  readonly compiled?: boolean
  readonly at?: string
  readonly until?: string
  readonly step?: boolean
  readonly diff?: boolean
  readonly inspect?: string
  readonly speed?: number
}

const EXAMPLES = `
Examples:
  xbbd replay /run/xbbd/journal
  xbbd replay /run/xbbd/journal --journal vbd/5/51712/q0 --compiled
  xbbd replay segment-0003.xbj --json | jq '.journals[].divergences'
  xbbd replay /run/xbbd/journal --journal vbd/5/51712 --at 10:00:00.5    everything at that moment
  xbbd replay /run/xbbd/journal --journal vbd/5/51712/q0 --at 812        behind batch 812
  xbbd replay /run/xbbd/journal --until 'request in Submitted > 10ms'
  xbbd replay /run/xbbd/journal --until 'device in Closing and inFlight > 0'
  xbbd replay /run/xbbd/journal --journal vbd/5/51712 --step
  xbbd replay --diff monday/ tuesday/
  xbbd replay /run/xbbd/journal --journal vbd/5/51712 --inspect ws://localhost:8080 --speed 10

Moments: a batch number, +1.5s after the start, -2s before the end, 10:00:00.5, 2026-11-26T10:00:00Z.
Conditions: ACTOR in STATE [> DURATION], ACTOR on EVENT, request > DURATION, COUNTER > NUMBER, short of REASON;
joined by and, or, not. ACTOR is request, queue, device, medium, connection or supervisor.
`

/** Options that look at one moment. */
const LOOKS = ['at', 'until']
const OTHERS = [...LOOKS, 'step', 'diff', 'json']

/** Reads `--speed`. */
function readSpeed(text: string): number {
  const factor = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : 0
  if (factor > 0) return factor
  throw new InvalidArgumentError('a factor above 0: 1, 0.1, 100')
}

/** Registers the command. */
export function addReplay(program: Command, context: CommandContext): void {
  program
    .command('replay')
    .description('fold journals through the charts again: compare, or look at any moment; ends with 1 on a difference')
    .argument('<path>', 'a journal file, or a folder of them')
    .argument('[other]', 'of --diff: the second recording')
    .option('-j, --journal <name>', 'only this journal, or all whose names begin so')
    .option('--compiled', 'leave XState out: many times as fast, compares only the compiled charts')
    .option('--at <moment>', 'show every actor and every request in flight at this batch or time')
    .option('--until <condition>', 'show the first moment at which this holds; ends with 1 when it never does')
    .addOption(new Option('--step', 'walk forward and back, by keys or by lines of standard input').conflicts(LOOKS))
    .addOption(new Option('--diff', 'compare two recordings by what happened, not when').conflicts([...LOOKS, 'step']))
    .addOption(new Option('--inspect <url>', 'tell what happened to a Stately inspector there').conflicts(OTHERS))
    .option('--speed <factor>', 'of --inspect: 1 as it happened, 10 ten times as fast (default: no pauses)', readSpeed)
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((path: string, other: string | undefined, options: Options) => replay(context, path, other, options))
}

async function replay(
  context: CommandContext, path: string, other: string | undefined, options: Options,
): Promise<void> {
  if ((other !== undefined) !== (options.diff === true)) {
    const two = '--diff compares two recordings: name both'
    const sentence = options.diff ? two : 'one recording at a time, or --diff A B'
    throw new XbbdError('XBBD_USAGE', sentence, { exitCode: 64 })
  }
  const { openJournals, chainsNamed, chainsToFold } = await import('../../journal/journal-files.js')
  const asJson = options.json === true
  const condition =
    options.until === undefined ? undefined : (await import('../../journal/condition.js')).parseCondition(options.until)
  const files = openJournals(path)
  const chains = chainsNamed(files, path, options.journal)
  if (other !== undefined) {
    const others = chainsNamed(openJournals(other), other, options.journal)
    return (await import('../replay/diff-text.js')).showDiff(context, chains, others, asJson)
  }
  if (options.speed !== undefined && options.inspect === undefined)
    throw new XbbdError('XBBD_USAGE', '--speed is that of --inspect: give both', { exitCode: 64 })
  const tells = options.step === true || options.inspect !== undefined
  const looks = tells || condition !== undefined || options.at !== undefined
  if (looks) chainsToFold(files, path, options.journal)
  if (options.inspect !== undefined) {
    const { inspectRecording } = await import('../replay/inspect.js')
    return inspectRecording(context, chains, { url: options.inspect, speed: options.speed })
  }
  if (options.step) {
    const { Stepper, walk } = await import('../replay/step.js')
    return walk(new Stepper(chains, context.terminal, asJson), process.stdin, context.terminal)
  }
  if (condition !== undefined)
    return (await import('../replay/look.js')).showFirst(context, chains, condition, options.at, asJson)
  if (options.at !== undefined)
    return (await import('../replay/look.js')).showMoment(context, chains, options.at, asJson)
  return compare(context, { ...files, chains }, options)
}

async function compare(context: CommandContext, files: JournalFiles, options: Options): Promise<void> {
  const { replayJournals } = await import('../../journal/replay.js')
  const show = progressBetween(context.terminal)
  const onSegment = (journal: string, segment: number, segments: number) =>
    show(() => `${journal}: segment ${segment} of ${segments}`)
  const report = replayJournals(files, { compiledOnly: options.compiled === true, onSegment })
  if (!report.agrees) context.status = 1
  if (options.json) return context.terminal.out(json(report))
  context.terminal.out(replayText(report))
  for (const sentence of report.problems) context.terminal.note(sentence)
  for (const { journal, otherCharts, divergences, divergenceCount, damage } of report.journals) {
    if (otherCharts) context.terminal.note(`${journal}: its charts are not known: differences are information`)
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
