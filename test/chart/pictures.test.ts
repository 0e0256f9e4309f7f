import { createMachine } from 'xstate'
import { chartHash, configOf } from '../../src/machines/compile/index.js'
import type { Chart } from '../../src/machines/compile/index.js'
import { charts } from '../../src/machines/index.js'
import { nodesOf } from '../../src/machines/compile/xstate-view.js'
import type { NodeView, TransitionView } from '../../src/machines/compile/xstate-view.js'
import { chartToMermaid } from '../../src/observe/chart-mermaid.js'
import { chartToJson, chartToStately } from '../../src/observe/chart-stately.js'
import { evaluate, toJavaScript } from './agreement.js'
import { copierChart, doorChart } from './test-charts.js'

const all: [string, Chart][] = [copierChart, doorChart, ...charts.map((entry) => entry.chart)].map((chart) => [
  chart.id,
  chart as Chart,
])

/** What a pasted file evaluates to, with its one import given. */
function pasted(source: string): Chart {
  const withoutImport = source.replace("import { createMachine } from 'xstate'\n", '')
  const call = /export const (\w+) = createMachine\(/.exec(withoutImport)
  if (call === null) throw new Error('no createMachine call')
  const bare = withoutImport.replace(call[0], 'export const config = (')
  return createMachine(evaluate(toJavaScript(bare)).config as never) as Chart
}

describe.each(all)('chart %s', (_, chart) => {
  test('pasted into another program is the same chart', () => {
    const copy = pasted(chartToStately(chart))
    expect(copy.config).toEqual(configOf(chart))
    expect(JSON.stringify(copy.definition)).toBe(JSON.stringify(chart.definition))
  })

  test('is JSON', () => {
    expect(JSON.parse(chartToJson(chart))).toEqual(configOf(chart))
  })

  test('as Mermaid has every edge once and every state declared before it is used', () => {
    const lines = chartToMermaid(chart).split('\n').map((line) => line.trim())
    const edges = lines.filter((line) => line.includes(' --> ') && line.includes(' : '))
    // An edge that changes nothing is a word in its state's note. Edges of the root leave every state of the top level.
    const [root, ...others] = nodesOf(chart)
    const changing = ({ target, actions, guard }: TransitionView) =>
      target !== undefined || actions.length > 0 || guard !== undefined
    const count = (node: NodeView) =>
      [...node.transitions.values(), node.always ?? []].flat().filter(changing).length
    const fromRoot = count(root) * Object.keys(root.states).length
    expect(edges).toHaveLength(others.reduce((sum, node) => sum + count(node), fromRoot))
    const declared = lines.map((line) => /^(?:state (?:".*" as )?)?(\w+)(?: \{)?$/.exec(line)?.[1])
    for (const edge of edges) {
      const [, from, to] = /^(\w+) --> (\w+) : [^:;#]+$/.exec(edge) ?? []
      for (const end of [from, to]) {
        expect(declared).toContain(end)
        expect(declared.indexOf(end)).toBeLessThan(lines.indexOf(edge))
      }
    }
    const opened = lines.filter((line) => line.endsWith('{')).length
    expect(lines.filter((line) => line === '}')).toHaveLength(opened)
  })
})

test('parallel regions, nested states, final states and notes are drawn', () => {
  const text = chartToMermaid(doorChart as Chart)
  expect(text).toContain('  state House {\n    state "door" as House_door\n    state House_door {\n')
  expect(text).toMatch(/\n {4}--\n {4}state "bell" as House_bell\n/)
  expect(text).toContain('House_door_Wide --> [*]')
  expect(text).toContain('House_door_Open --> House_door_Wide : always [tired] / forget')
  expect(text).toContain('House --> Away : done / bow')
  expect(text).toContain('note right of House_door_Open\n    It is open\n    entry / light\n    exit / dark\n  end note')
})

test('edges that change nothing stand in the note', () => {
  expect(chartToMermaid(copierChart as Chart)).toContain('Parts are on their way\n    ignores poke\n')
})

test('a first context made from an actor’s input is left out, everywhere', () => {
  const config = { id: 'x', initial: 'A', states: { A: { description: 'one' } } }
  const chart = createMachine({ ...config, context: ({ input }: { input: unknown }) => ({ input }) } as never) as Chart
  expect(JSON.parse(chartToJson(chart))).toEqual(config)
  expect(pasted(chartToStately(chart)).config).toEqual(config)
  expect(chartHash(chart)).toBe(chartHash(createMachine(config as never) as Chart))
})
