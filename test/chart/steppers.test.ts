import {
  boundAtFirstCall, compileChart, emitStep, generatedStepper, mixDigest, pooledActors, shadowStepper,
} from '../../src/machines/compile/index.js'
import type { CompiledChart, Divergence, StepHost, Stepper } from '../../src/machines/compile/index.js'
import { charts, contextsOf } from '../../src/machines/index.js'
import { ContextHost, evaluate, stepOf, toJavaScript } from './agreement.js'
import { mulberry } from './mulberry.js'
import { copierChart, copierDomain, doorChart, doorDomain } from './test-charts.js'

const subjects: [string, CompiledChart, ReturnType<typeof contextsOf>][] = [
  { chart: copierChart, contextDomain: copierDomain },
  { chart: doorChart, contextDomain: doorDomain },
  ...charts.filter((entry) => entry.compiled),
].map(({ chart, contextDomain }) => [chart.id, compileChart(chart), contextsOf(contextDomain ?? {})])

const sourceOf = (compiled: CompiledChart) => toJavaScript(emitStep(compiled))

/** Runs the same events through a stepper and writes down all that can be seen from outside. */
function diary(compiled: CompiledChart, contexts: readonly object[], make: (host: ContextHost) => Stepper): string[] {
  const random = mulberry(7)
  const host = new ContextHost(compiled, 4)
  const stepper = make(host)
  return Array.from({ length: 1500 }, () => {
    const slot = random(4)
    const event = random(compiled.events.length)
    if (random(8) === 0) host.contexts[slot] = { ...contexts[random(contexts.length)] }
    host.ran = []
    const next = stepper.step(slot, event)
    return `${slot} ${event} → ${next} ${host.ran.join(' ')} ${JSON.stringify(host.contexts[slot])} ${host.digest}`
  })
}

describe.each(subjects)('chart %s', (_, compiled, contexts) => {
  const generated = stepOf(evaluate(sourceOf(compiled)), compiled)
  const plain = diary(compiled, contexts, (host) => generatedStepper(generated, host))

  test('run by real actors gives the same states, actions, contexts and digests', () => {
    expect(diary(compiled, contexts, (host) => pooledActors(compiled.chart, compiled, host))).toEqual(plain)
    expect(new Set(plain).size).toBeGreaterThan(10)
  })

  test('has a shadow that changes nothing and finds nothing', () => {
    const found: Divergence[] = []
    const shadow = (host: ContextHost) =>
      shadowStepper({
        chart: compiled.chart, names: compiled, generated, host,
        given: (slot) => host.contexts[slot],
        onDivergence: (divergence) => found.push(divergence),
      })
    expect(diary(compiled, contexts, shadow)).toEqual(plain)
    expect(found).toEqual([])
  })
})

test('a shadow reports a wrong step once, with both sides', () => {
  const compiled = compileChart(copierChart)
  const host = new ContextHost(compiled)
  const found: Divergence[] = []
  const broken = sourceOf(compiled).replace(/host\.begin\(slot\);\s*next = 1/, 'next = 2')
  const generated = stepOf(evaluate(broken), compiled)
  const onDivergence = (divergence: Divergence) => found.push(divergence)
  const shadow = shadowStepper({ chart: copierChart, names: compiled, generated, host, onDivergence })
  expect(shadow.step(0, compiled.events.indexOf('start'))).toBe(2)
  expect(shadow.step(0, compiled.events.indexOf('clear'))).toBe(0)
  expect(found).toEqual([
    {
      slot: 0,
      event: 'start',
      generated: { state: 'Finished', actions: [] },
      xstate: { state: 'Copying', actions: ['begin'], context: { parts: 2, left: 2, failed: false } },
    },
  ])
})

test('what a host’s action throws comes out of an actor’s step', () => {
  const compiled = compileChart(copierChart)
  const host = Object.assign(new ContextHost(compiled), {
    begin: () => {
      throw new Error('no room')
    },
  })
  expect(() => pooledActors(copierChart, compiled, host).step(0, 0)).toThrow('no room')
})

test('a stepper bound at its first call serves that host only', () => {
  const compiled = compileChart(copierChart)
  const step = boundAtFirstCall((host: StepHost) => pooledActors(copierChart, compiled, host))
  const host = new ContextHost(compiled)
  expect([step(host, 0, 0), step(host, 0, 3), step(host, 0, 0)]).toEqual([1, 1, -1])
  expect(() => step(new ContextHost(compiled), 0, 0)).toThrow('one host only')
})

test('the digest inlined in generated code is mixDigest, and moves from zero', () => {
  const compiled = compileChart(copierChart)
  const host = new ContextHost(compiled, 3)
  host.digest = 0
  expect(stepOf(evaluate(sourceOf(compiled)), compiled)(host, 2, 0)).toBe(1)
  expect(host.digest).toBe(mixDigest(0, 2, 0, 1))
  expect(mixDigest(0, 0, 0, 0)).not.toBe(0)
})
