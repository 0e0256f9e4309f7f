/**
 * @packageDocumentation
 * All texts that follow from the charts, as a map from path to content. The generator writes them, a test compares
 * them with what is checked in, `xbbd chart` prints one of them: all three from this one function. Pictures are made
 * in picture/files.ts, which needs a layout that only generator and tests have.
 *
 *   src/machines/generated/<name>.ts          compiled charts only
 *   visualizations/<name>.machine.ts          for Stately's editor
 *   visualizations/<name>.json · <name>.mmd   the configuration; Mermaid
 */
import { compileChart, emitStep } from '../machines/compile/index.js'
import type { ChartEntry } from '../machines/index.js'
import { chartToMermaid } from './chart-mermaid.js'
import { chartToJson, chartToStately } from './chart-stately.js'

/** Where the files of {@link chartFiles} lie, relative to the repository; nothing else may lie there but READMEs. */
export const CHART_FOLDERS = ['src/machines/generated', 'visualizations'] as const

/** Path (relative to the repository) → content. @throws {XbbdError} when a chart cannot be compiled. */
export function chartFiles(entries: readonly ChartEntry[]): ReadonlyMap<string, string> {
  const files = new Map<string, string>()
  for (const { name, chart, compiled } of entries) {
    if (compiled) files.set(`src/machines/generated/${name}.ts`, emitStep(compileChart(chart)))
    files.set(`visualizations/${name}.machine.ts`, chartToStately(chart))
    files.set(`visualizations/${name}.json`, chartToJson(chart))
    files.set(`visualizations/${name}.mmd`, chartToMermaid(chart))
  }
  return files
}
