/**
 * @packageDocumentation
 * `xbbd simulate`: looks for trouble. Each seed is a world of its own (front ends that behave or lie, disks that fail,
 * a back end that is killed) in which the real charts, core, journal and recovery run; laws are watched from outside.
 * Ends with 0 when none was broken, with 1 when one was, and then says with which command it happens again.
 */
import { availableParallelism } from 'node:os'
import { InvalidArgumentError, Option, type Command } from 'commander'
import type { CampaignReport } from '../simulate/campaign.js'
import type { Outcome, PlayOptions } from '../../sim/family.js'
import { progressBetween } from '../progress.js'
import { json, type CommandContext } from './context.js'

interface Options {
  readonly seeds?: number
  readonly from: number
  readonly seed?: number
  readonly family?: string
  readonly jobs: number
  readonly minutes?: number
  readonly json?: boolean
  readonly verbose?: boolean
  readonly shrink?: boolean
  readonly scenario?: string
}

const EXAMPLES = `
Examples:
  xbbd simulate                              a few hundred seeds of every family
  xbbd simulate --seeds 50000 --minutes 45   as many as that, or as there is time for
  xbbd simulate --family queue --from 1000
  xbbd simulate --seed 4711 --family queue   one seed again
  xbbd simulate --seed 4711 --family queue -v   … and what happened, step by step
  xbbd simulate --seed 4711 --family queue --shrink > found.json    the shortest world that fails as it does
  xbbd simulate --scenario found.json -v

The same seed is the same run, on every machine: its digest says so.
`

const SEEDS = 200

/** Registers the command. */
export function addSimulate(program: Command, context: CommandContext): void {
  const count = (text: string) => readCount(text, 1)
  program
    .command('simulate')
    .description('run worlds in which guests lie, disks fail and processes die; ends with 1 when a law breaks')
    .option('-n, --seeds <count>', `how many seeds, each in every family (default: ${SEEDS})`, count)
    .option('--from <seed>', 'the first of them', (text) => readCount(text, 0), 1)
    .addOption(new Option('--seed <seed>', 'only this one').conflicts(['seeds', 'from', 'minutes']).argParser(seedOf))
    .option('-f, --family <name>', 'only this family of worlds')
    .option('-j, --jobs <count>', 'threads', count, Math.min(availableParallelism(), 16))
    .option('--minutes <minutes>', 'begin nothing more after so long; alone: as many seeds as that allows', minutesOf)
    .addOption(new Option('--scenario <file>', 'only the world in this file').conflicts(['seed', 'seeds', 'family']))
    .option('-v, --verbose', 'of --seed and --scenario: say what happens, step by step')
    .option('--shrink', 'of --seed: print the simplest world found that breaks the same law, as a scenario file')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((options: Options) => simulate(context, options))
}

async function simulate(context: CommandContext, options: Options): Promise<void> {
  const { FAMILIES, familyNamed } = await import('../../sim/families.js')
  const { requireFamily } = await import('../simulate/play-seeds.js')
  const names = FAMILIES.map(({ name }) => name)
  const chosen = options.family === undefined ? names : [requireFamily(options.family, names).name]
  if (options.scenario !== undefined) return oneScenario(context, options, options.scenario)
  if (options.shrink) {
    const { shrinkSeed } = await import('../simulate/shrink-seed.js')
    return shrinkSeed(context, chosen, options.seed)
  }
  if (options.seed !== undefined) return oneSeed(context, options, chosen, options.seed)
  const { runCampaign } = await import('../simulate/campaign.js')
  const seeds = options.seeds ?? (options.minutes === undefined ? SEEDS : Infinity)
  const show = progressBetween(context.terminal)
  const families = chosen.map((name) => ({ name, every: chosen.length === 1 ? 1 : (familyNamed(name)?.every ?? 1) }))
  const runs = families.reduce((sum, { every }) => sum + Math.round(seeds / every), 0)
  const report = await runCampaign({
    families,
    from: options.from,
    seeds,
    jobs: options.jobs,
    ...(options.minutes !== undefined && { limitMs: options.minutes * 60_000 }),
    onProgress: (done, failed) => show(() => progressText(done, runs, failed)),
  })
  context.terminal.status('')
  if (report.failures.length > 0) context.status = 1
  await tell(context, options, report)
}

async function tell(context: CommandContext, options: Options, report: CampaignReport): Promise<void> {
  const { campaignText, campaignValue, failureText } = await import('../simulate/report.js')
  if (options.json) return context.terminal.out(json(campaignValue(report)))
  context.terminal.out(campaignText(report))
  for (const failure of report.failures.slice(0, FAILURES_SHOWN)) context.terminal.err(failureText(failure))
  if (report.failures.length > 0) await tellShrunk(context, report.failures[0])
  const more = report.failures.length - FAILURES_SHOWN
  if (more > 0) context.terminal.note(`and ${more} failures more`)
}

const FAILURES_SHOWN = 10

/** The first failure, made as simple as it gets. */
async function tellShrunk(context: CommandContext, { family, seed }: Outcome): Promise<void> {
  const { shrinkSeed } = await import('../simulate/shrink-seed.js')
  await shrinkSeed(context, [family], seed)
}

async function oneScenario(context: CommandContext, options: Options, file: string): Promise<void> {
  const { readFileSync } = await import('node:fs')
  const { parseScenario } = await import('../../sim/scenario.js')
  const { play } = await import('../../sim/family.js')
  const { family, plan } = parseScenario(readFileSync(file, 'utf8'), file)
  await show(context, options, [await play(family, plan, noting(context, options, family.name))])
}

async function oneSeed(context: CommandContext, options: Options, names: string[], seed: number): Promise<void> {
  const { playSeed } = await import('../../sim/family.js')
  const { requireFamily } = await import('../simulate/play-seeds.js')
  const outcomes: Outcome[] = []
  for (const name of names)
    outcomes.push(await playSeed(requireFamily(name, names), seed, noting(context, options, name)))
  await show(context, options, outcomes)
}

function noting({ terminal }: CommandContext, { verbose }: Options, name: string): PlayOptions {
  return verbose ? { note: (step, sentence) => terminal.err(`${name} ${step}: ${sentence}\n`) } : {}
}

async function show(context: CommandContext, options: Options, outcomes: readonly Outcome[]): Promise<void> {
  const { outcomeText } = await import('../simulate/report.js')
  if (outcomes.some(({ violations }) => violations.length > 0)) context.status = 1
  if (options.json) context.terminal.out(json(outcomes))
  else context.terminal.out(outcomes.map(outcomeText).join(''))
}

function progressText(runs: number, all: number, failed: number): string {
  const of = all === Infinity ? '' : ` of ${all}`
  return `${runs}${of} runs, ${failed === 0 ? 'no law broken' : `${failed} failed`}`
}

function readCount(text: string, least: number): number {
  const count = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN
  if (count >= least) return count
  throw new InvalidArgumentError(`a whole number from ${least} on`)
}

function seedOf(text: string): number {
  return readCount(text, 0)
}

function minutesOf(text: string): number {
  const minutes = /^\d{1,4}(\.\d{1,3})?$/.test(text) ? Number(text) : 0
  if (minutes > 0) return minutes
  throw new InvalidArgumentError('minutes above 0: 45, 0.5')
}
