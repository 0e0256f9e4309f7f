/**
 * @packageDocumentation
 * `npm run bench`: measures what the program can do here and prints tables; progress goes to standard error. It says
 * on what machine, and asserts nothing: whoever reads the figures knows whether the machine was quiet.
 */
import { writeFileSync } from 'node:fs'
import { renderTable } from '../src/cli/table.js'
import { XbbdError, sentenceOf } from '../src/protocol/errors.js'
import { fileSection, journalSection } from './file-section.js'
import { footprintSection } from './footprint.js'
import { hostileSection } from './hostile-section.js'
import { indirectSection } from './indirect-section.js'
import { limitsSection } from './limits-section.js'
import { describe, machine } from './machine.js'
import { USAGE, parseOptions } from './options.js'
import { FULL, QUICK } from './pace.js'
import { mergeSection } from './merge-section.js'
import { openPageSection } from './open-page.js'
import { planeSection } from './plane-section.js'
import type { PlaneLoad } from './plane.js'
import { queuesSection } from './queues-section.js'
import { replaySection } from './replay.js'
import type { Section } from './report.js'
import { viewSection } from './view.js'

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return void process.stdout.write(USAGE)
  const { json, only, quick, journalMiB } = parseOptions(args)
  const pace = quick ? QUICK : FULL
  const before = machine()
  const sections: Section[] = []
  const say = (sentence: string) => void process.stderr.write(`bench: ${sentence} …\n`)
  const add = (section: Section) => {
    sections.push(section)
    const notes = section.notes.map((note) => `  ${note}\n`).join('')
    process.stdout.write(`\n(${section.name}) ${section.title}\n${renderTable(section.columns, section.table)}${notes}`)
  }
  process.stdout.write(`${describe(before)}${quick ? '; quick: short runs, no medians' : ''}\n`)
  const loads = (['a0', 'a1', 'a11'] as const satisfies PlaneLoad[]).filter((load) => only.has(load))
  if (loads.length > 0) add(await planeSection(loads, pace, say))
  if (only.has('b')) add(await fileSection(before.fio !== undefined, pace, say))
  if (only.has('c')) add(await journalSection(pace, say))
  if (only.has('d')) add(await footprintSection(pace, say))
  if (only.has('h')) add(await hostileSection(pace, say))
  if (only.has('i')) add(await indirectSection(pace, say))
  if (only.has('l')) add(await limitsSection(pace, say))
  if (only.has('m')) add(await mergeSection(pace, say))
  if (only.has('p')) add(await openPageSection(pace, say))
  if (only.has('q')) add(await queuesSection(pace, say))
  if (only.has('replay')) add(replaySection((journalMiB ?? (quick ? 32 : 256)) * 2 ** 20, say))
  if (only.has('v')) add(await viewSection(quick ? 1e5 : 1e6, say))
  const after = machine()
  const steal = (after.stealTicks - before.stealTicks) / 100
  process.stdout.write(`\nload at the end ${after.load[0].toFixed(2)}, ${steal.toFixed(1)} s stolen by the hypervisor\n`)
  if (json !== undefined) writeJson(json, { machine: before, after, quick, sections })
}

function writeJson(path: string, report: { readonly sections: readonly Section[]; readonly [key: string]: unknown }): void {
  const sections = report.sections.map(({ name, title, notes, rows }) => ({ name, title, notes, rows }))
  writeFileSync(path, `${JSON.stringify({ ...report, sections }, undefined, 2)}\n`)
}

main(process.argv.slice(2)).then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(`bench: ${sentenceOf(error)}\n`)
    process.exit(error instanceof XbbdError ? error.exitCode : 1)
  },
)
