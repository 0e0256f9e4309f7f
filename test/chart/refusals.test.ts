import { assign, createMachine, raise, sendTo, setup } from 'xstate'
import { compileChart } from '../../src/machines/compile/index.js'
import type { Chart } from '../../src/machines/compile/index.js'
import { codeOf, sentenceOf } from '../../src/protocol/errors.js'

/** The sentence with which a chart is refused. */
function refusal(chart: unknown): string {
  try {
    compileChart(chart as Chart)
  } catch (error) {
    expect(codeOf(error)).toBe('XBBD_CHART_NOT_COMPILABLE')
    return sentenceOf(error)
  }
  throw new Error('the chart was compiled')
}

const base = setup({
  types: { context: {} as { n: number }, events: {} as { type: 'go' | 'back' } },
  guards: { yes: () => true },
  actions: { act: () => undefined, add: assign({ n: ({ context }) => context.n + 1 }) },
})

/** A chart with one state whose parts can be replaced. */
function withState(part: Record<string, unknown>, root: Record<string, unknown> = {}): unknown {
  const config = { id: 'x', context: { n: 0 }, initial: 'A', states: { A: { on: { go: 'B' } }, B: part }, ...root }
  return createMachine(config as Parameters<typeof createMachine>[0], base.createMachine({ context: { n: 0 } }).implementations as never)
}

const cases: [string, unknown, string][] = [
  ['an inline action', withState({ on: { back: { target: 'A', actions: () => undefined } } }),
    '#x.B on back: inline action function'],
  ['an inline entry action', withState({ entry: () => undefined }), '#x.B entry: inline action function'],
  ['an inline exit action', withState({ exit: ['act', () => undefined] }), '#x.B exit: inline action function'],
  ['an inline guard', withState({ on: { back: { target: 'A', guard: () => true } } }),
    '#x.B on back: inline guard function'],
  ['an inline assign', withState({ entry: assign({ n: 1 }) }),
    '#x.B entry: inline action xstate.assign: name it in setup()'],
  ['an inline always guard', withState({ always: { target: 'A', guard: () => false } }),
    '#x.B always: inline guard function'],
  ['an action without an implementation', withState({ entry: 'vanish' }),
    '#x.B entry: action vanish is not in setup()'],
  ['a guard without an implementation', withState({ on: { back: { target: 'A', guard: 'maybe' } } }),
    '#x.B on back: guard maybe is not in setup()'],
  ['dynamic parameters', withState({ entry: { type: 'act', params: () => ({}) } }),
    '#x.B entry: action act has parameters: give each case a name of its own'],
  ['static parameters', withState({ entry: { type: 'act', params: { n: 1 } } }),
    '#x.B entry: action act has parameters: give each case a name of its own'],
  ['a delayed transition', withState({ after: { 100: 'A' } }), '#x.B after: after needs a timer: time is an event'],
  ['an invoked actor', withState({ invoke: { src: 'other', id: 'other' } }), '#x.B invoke: invoke starts an actor'],
  ['a history state', withState({ initial: 'C', states: { C: {}, H: { type: 'history' } } }), '#x.B.H: history state'],
  ['a bigint', withState({}, { context: { n: 0n } }), '#x context.n: a bigint'],
  ['an object in the context', withState({}, { context: { n: {} } }),
    "#x context.n: a object: a compiled chart's context is flat"],
  ['a context function', withState({}, { context: () => ({ n: 0 }) }),
    '#x context: a function: write the initial values'],
  ['entry actions of the initial state', withState({}, { initial: 'B', states: { B: { entry: 'act' } } }),
    '#x initial: entering the initial state runs act'],
  ['a guard on entering', withState({}, { states: { A: { always: { guard: 'yes', target: 'B' } }, B: {} } }),
    '#x initial: a guard is consulted while entering the initial state'],
  ['always in a circle', withState({}, {
    states: { A: { on: { go: 'B' } }, B: { always: 'C' }, C: { always: 'B' } },
  }), '#A on go: Infinite loop detected'],
  ['a name that is no method', setup({ actions: { 'no name': () => undefined } }).createMachine({
    id: 'x', initial: 'A', states: { A: { on: { go: { actions: 'no name' } } } },
  }), 'no name: cannot be the name of a method'],
  ['a name that the host needs', setup({ actions: { digest: () => undefined } }).createMachine({
    id: 'x', initial: 'A', states: { A: { on: { go: { actions: 'digest' } } } },
  }), 'digest: cannot be the name of a method'],
  ['one name for two things', setup({ actions: { f: () => undefined }, guards: { f: () => true } }).createMachine({
    id: 'x', initial: 'A', states: { A: { on: { go: { guard: 'f', actions: 'f' } } } },
  }), 'f: names a guard and an action'],
  ['a raise with an expression', setup({ actions: { again: raise(() => ({ type: 'go' })) } }).createMachine({
    id: 'x', initial: 'A', states: { A: { on: { go: { actions: 'again' } } } },
  }), 'action again: raise with an event expression'],
  ['a delayed raise', setup({ actions: { again: raise({ type: 'go' }, { delay: 1 }) } }).createMachine({
    id: 'x', initial: 'A', states: { A: { on: { go: { actions: 'again' } } } },
  }), 'action again: raise with a delay: timers are events'],
  ['a message to another actor', setup({ actions: { tell: sendTo('other', { type: 'go' }) } }).createMachine({
    id: 'x', initial: 'A', states: { A: { on: { go: { actions: 'tell' } } } },
  }), 'action tell: xstate.sendTo is no transition of this chart'],
]

test.each(cases)('refuses %s', (_, chart, violation) => {
  expect(refusal(chart).split('\n').slice(1)).toEqual([`  ${violation}`])
})

test('names every violation in one error', () => {
  const chart = withState({ entry: () => undefined, after: { 5: 'A' } }, { context: { n: 1n } })
  expect(refusal(chart)).toBe(
    [
      'chart x cannot be compiled:',
      '  #x context.n: a bigint',
      '  #x.B after: after needs a timer: time is an event',
      '  #x.B entry: inline action function',
    ].join('\n'),
  )
})

test('refuses more product states than a byte is given for', () => {
  const names = Array.from({ length: 16 }, (_, number) => `s${number}`)
  const region = (event: string) => ({
    initial: 's0',
    states: Object.fromEntries(names.map((name, at) => [name, { on: { [event]: names[(at + 1) % names.length] } }])),
  })
  const chart = createMachine({ id: 'x', type: 'parallel', states: { a: region('go'), b: region('back') } } as never)
  expect(refusal(chart)).toContain('#x: more than 250 product states')
})
