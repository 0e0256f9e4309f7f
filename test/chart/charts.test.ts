import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { configOf } from '../../src/machines/compile/index.js'
import { transitionsOf } from '../../src/machines/compile/check.js'
import { nodesOf } from '../../src/machines/compile/xstate-view.js'
import { charts } from '../../src/machines/index.js'
import { CHART_FOLDERS, chartFiles } from '../../src/observe/chart-files.js'
import { pictureFiles } from '../../src/observe/picture/files.js'

const root = join(dirname(fileURLToPath(import.meta.url)), '../../..')
const files = new Map(chartFiles(charts))

beforeAll(async () => {
  for (const [path, content] of await pictureFiles(charts)) files.set(path, content)
})

test('every file that follows from a chart is current', () => {
  const stale = [...files].filter(([path, content]) => {
    const file = join(root, path)
    return !existsSync(file) || readFileSync(file, 'utf8') !== content
  })
  const paths = stale.map(([path]) => path)
  if (paths.length > 0) throw new Error(`${paths.join(', ')}: not what the charts say now; run npm run charts`)
})

test('no file of a chart that is gone lies about', () => {
  const lying = CHART_FOLDERS.flatMap((folder) =>
    readdirSync(join(root, folder)).filter((name) => name !== 'README.md' && !files.has(`${folder}/${name}`)),
  )
  if (lying.length > 0) throw new Error(`${lying.join(', ')}: no chart has these; run npm run charts`)
})

test('names are the charts’ own, once each, and compiled charts say what their contexts can be', () => {
  expect(charts.map(({ chart }) => chart.id)).toEqual(charts.map(({ name }) => name))
  expect(new Set(charts.map(({ name }) => name)).size).toBe(charts.length)
  for (const { chart, compiled, contextDomain } of charts.filter((entry) => entry.compiled)) {
    expect(compiled).toBe(true)
    expect(Object.keys(contextDomain ?? {}).sort()).toEqual(Object.keys((chart.config.context ?? {}) as object).sort())
  }
})

test.each(charts)('every state and every edge of chart $name is described', ({ chart }) => {
  const nodes = nodesOf(chart)
  const mute = [
    ...nodes.filter((node) => !node.description?.trim()).map((node) => `#${node.id}`),
    ...nodes.flatMap(transitionsOf).flatMap(({ place, transition }) => (transition.description?.trim() ? [] : [place])),
  ]
  expect(mute).toEqual([])
})

test.each(charts)('chart $name is made of names only', ({ chart }) => {
  // A first context that depends on the actor's input is the one function a chart may hold.
  const config = configOf(chart)
  expect(JSON.parse(JSON.stringify(config))).toEqual(config)
})

test('machines do not import generated code', () => {
  const folder = join(root, 'src/machines')
  const sources = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts'))
  expect(sources.length).toBeGreaterThan(5)
  const importing = sources.filter((name) => /from '.*generated\//.test(readFileSync(join(folder, name), 'utf8')))
  expect(importing).toEqual([])
})
