import { compileChart, ChartInterpreter, emitStep } from '../../src/machines/compile/index.js'
import type { CompiledChart } from '../../src/machines/compile/index.js'
import { charts, contextsOf } from '../../src/machines/index.js'
import type { ContextDomain } from '../../src/machines/index.js'
import { ContextHost, disagreements, evaluate, expectations, stepOf, toJavaScript } from './agreement.js'
import { faultsIn } from './faults.js'
import { mulberry } from './mulberry.js'
import { copierChart, copierDomain, doorChart, doorDomain } from './test-charts.js'

/** Charts that run as generated code. */
const registered = charts
  .filter((entry) => entry.compiled)
  .map(({ chart, contextDomain }) => [compileChart(chart), contextDomain ?? {}] as const)

const subjects: [string, CompiledChart, ContextDomain][] = [
  [compileChart(copierChart), copierDomain] as const,
  [compileChart(doorChart), doorDomain] as const,
  ...registered,
].map(([compiled, domain]) => [compiled.name, compiled, domain])

describe.each(subjects)('generated code of chart %s', (_, compiled, domain) => {
  const javaScript = toJavaScript(emitStep(compiled))
  const expected = expectations(compiled, domain)

  test('does what XState does, for every state, event and context', () => {
    expect(expected.some(({ next }) => next >= 0)).toBe(true)
    expect(expected.some(({ next }) => next < 0)).toBe(true)
    expect(disagreements(stepOf(evaluate(javaScript), compiled), compiled, expected)).toEqual([])
  })

  test('with any single fault planted is caught by that comparison', () => {
    const faults = faultsIn(javaScript, compiled.states.length)
    const missed = faults.filter(
      ({ source }) => disagreements(stepOf(evaluate(source), compiled), compiled, expected, 1).length === 0,
    )
    const lines = javaScript.split('\n')
    expect(missed.map(({ kind, line }) => `${kind} in line ${line}: ${lines[line - 1].trim()}`)).toEqual([])
    const gotos = javaScript.match(/^\s*next = \d+/gm) ?? []
    expect(faults.filter(({ kind }) => kind === 'wrong state')).toHaveLength(gotos.length)
    expect(gotos.length).toBeGreaterThan(0)
  })

  test('agrees with XState along a random walk over several slots', () => {
    const random = mulberry(20261123)
    const contexts = contextsOf(domain)
    const slots = 3
    const host = new ContextHost(compiled, slots)
    const interpreter = new ChartInterpreter(compiled.chart, slots)
    const step = stepOf(evaluate(javaScript), compiled)
    let taken = 0
    for (let i = 0; i < 5000; i++) {
      const slot = random(slots)
      const event = random(compiled.events.length)
      // Now and then a slot gets other work, as the core's intake gives it.
      if (random(8) === 0) {
        host.contexts[slot] = contexts[random(contexts.length)]
        interpreter.assign(slot, host.contexts[slot])
      }
      host.ran = []
      const next = step(host, slot, event)
      const xstate = interpreter.step(slot, compiled.events[event])
      if (next >= 0) taken++
      const generated = [next >= 0, compiled.states[host.state[slot]], host.ran, host.contexts[slot]]
      const expected = [xstate.taken, xstate.state, xstate.actions, xstate.context]
      if (JSON.stringify(generated) !== JSON.stringify(expected)) expect([i, ...generated]).toEqual([i, ...expected])
    }
    expect(taken).toBeGreaterThan(500)
  })
})

test('the copier is laid out as it is written', () => {
  const compiled = compileChart(copierChart)
  expect(compiled.states).toEqual(['Idle', 'Copying', 'Finished'])
  expect(compiled.events).toEqual(['start', 'done', 'broke', 'poke', 'clear'])
  expect(compiled.cells[1][3]).toEqual({ kind: 'goto', actions: [], state: 1 })
  expect(compiled.cells[0][1]).toEqual({ kind: 'none' })
  expect(compiled.cells[1][1]).toEqual({
    kind: 'ask', actions: [], guard: 'more',
    yes: { kind: 'goto', actions: ['countDown'], state: 1 },
    no: {
      kind: 'ask', actions: [], guard: 'spoilt',
      yes: { kind: 'goto', actions: ['countDown', 'sigh'], state: 2 },
      no: { kind: 'goto', actions: ['countDown', 'ring'], state: 2 },
    },
  })
})

test('product states of parallel regions are named by all of them', () => {
  expect(compileChart(doorChart).states).toContain('House.(door.Shut.Locked & bell.Ringing)')
})
