/**
 * @packageDocumentation
 * All pictures that are checked in, as a map from path to content: one of every chart, and the poster of the whole
 * program. The generator writes them, a test compares them; `xbbd chart` hands out the files themselves, because the
 * layout that made them is not part of the installed program.
 */
import type { ChartEntry } from '../../machines/index.js'
import { chartScenes } from './chart-scene.js'
import { layout } from './layout.js'
import { posterScene } from './poster-scene.js'
import { toSvg } from './svg.js'

/** Path (relative to the repository) → content. */
export async function pictureFiles(entries: readonly ChartEntry[]): Promise<ReadonlyMap<string, string>> {
  const scenes = [...entries.flatMap(({ chart }) => chartScenes(chart)), posterScene(entries)]
  const files = new Map<string, string>()
  for (const scene of scenes) files.set(`visualizations/${scene.title}.svg`, toSvg(await layout(scene)))
  return files
}
