/**
 * @packageDocumentation
 * The medium's and the supervisor's charts by given, when, then; and that neither leaves any input without an edge.
 */
import type { AnyStateMachine } from 'xstate'
import { begin, fold, replayActor } from '../../src/machines/fold.js'
import { connectionMachine } from '../../src/machines/connection.machine.js'
import { mediumMachine, type MediumEvent } from '../../src/machines/medium.machine.js'
import { supervisorMachine, type SupervisorEvent } from '../../src/machines/supervisor.machine.js'

const patience = { retryMs: 200, attempts: 4, sayAfter: 2 }
const spec = { target: 'disk.img', readOnly: false }
const locked: MediumEvent = { type: 'opener.refused', code: 'locked', sentence: 'held by process 7' }
const retry: MediumEvent = { type: 'clock.elapsed', timer: 'lock' }

function medium(...events: MediumEvent[]) {
  const history = replayActor(mediumMachine, patience, events)
  return { state: history[history.length - 1].state, effects: history.flatMap(({ effects }) => effects.map(({ type }) => type)) }
}

test('a lock that is held is waited for, said aloud once, and refused after a bound', () => {
  const ask: MediumEvent = { type: 'device.openRequested', spec }
  const all = medium(ask, locked, retry, locked, retry, locked, retry, locked)
  expect(all.state).toBe('Closed')
  expect(all.effects.filter((name) => name === 'tryOpen')).toHaveLength(4)
  expect(all.effects.filter((name) => name === 'tellWaited')).toHaveLength(1)
  expect(all.effects.at(-1)).toBe('tellRefused')
  expect(medium(ask, locked, { type: 'device.closeRequested' }).effects.slice(-3)).toEqual(['stopTimer', 'letGo', 'tellClosed'])
})

test('any other refusal is final at once; a lost medium is told once', () => {
  const ask: MediumEvent = { type: 'device.openRequested', spec }
  expect(medium(ask, { type: 'opener.refused', code: 'missing', sentence: 'no' }).effects).toEqual(['tryOpen', 'tellRefused'])
  const plan = { kind: 'null', layers: [], geometry: {} } as never
  const lost = medium(ask, { type: 'opener.opened', plan, notes: [] }, { type: 'medium.lost', sentence: 'ENXIO' }, { type: 'medium.lost', sentence: 'ENXIO' })
  expect([lost.state, ...lost.effects]).toEqual(['Gone', 'tryOpen', 'tellOpened', 'tellGone'])
})

const bounds = { child: 'vbd/5/51712', maxRestarts: 2, periodMs: 60_000, firstPauseMs: 100, maxPauseMs: 1000 }
const crash = (atMs: number): SupervisorEvent => ({ type: 'child.crashed', atMs, sentence: 'broken invariant' })
const salvaged: SupervisorEvent = { type: 'child.salvaged' }
const paused: SupervisorEvent = { type: 'clock.elapsed', timer: 'pause' }

function supervisor(...events: SupervisorEvent[]) {
  const history = replayActor(supervisorMachine, bounds, events)
  const last = history[history.length - 1]
  return { state: last.state, context: last.snapshot.context, effects: history.flatMap(({ effects }) => effects) }
}

test('a crashed child is salvaged, then started again after a pause that doubles', () => {
  const twice = supervisor(crash(0), salvaged, paused, crash(10), salvaged, paused)
  expect([twice.state, twice.context.restarts]).toEqual(['Running', 2])
  expect(twice.effects.filter(({ type }) => type === 'startTimer').map((effect) => 'milliseconds' in effect && effect.milliseconds)).toEqual([100, 200])
  expect(supervisor(crash(0), paused).state).toBe('Salvaging')
})

test('too many crashes within the period: given up, said so, and the operator may try again', () => {
  const events = [crash(0), salvaged, paused, crash(10), salvaged, paused, crash(20), salvaged]
  const down = supervisor(...events)
  expect(down.state).toBe('GaveUp')
  expect(down.effects.at(-1)).toEqual({ type: 'announceGivingUp', sentence: 'given up after 3 crashes: broken invariant' })
  expect(supervisor(...events, paused).state).toBe('GaveUp')
  expect(supervisor(...events, { type: 'operator.retried' }).state).toBe('Running')
})

test('crashes that are far apart are forgiven', () => {
  const far = [0, 100_000, 200_000, 300_000].flatMap((at) => [crash(at), salvaged, paused])
  expect(supervisor(...far).state).toBe('Running')
})

test('a daemon that stops does not start a child again', () => {
  expect(supervisor(crash(0), { type: 'operator.stopped' }, salvaged).state).toBe('Ended')
  expect(supervisor(crash(0), salvaged, { type: 'operator.stopped' }).state).toBe('Ended')
  const late = supervisor({ type: 'operator.stopped' }, crash(0), salvaged)
  expect([late.state, late.effects.map(({ type }) => type)]).toEqual(['Ended', ['startChild', 'salvageChild', 'announceEnd']])
  expect(supervisor({ type: 'operator.stopped' }, { type: 'child.ended' }).state).toBe('Ended')
})

const complete: [string, AnyStateMachine][] =
  [['medium', mediumMachine], ['supervisor', supervisorMachine], ['connection', connectionMachine]]
test.each(complete)(
  'every state of chart %s has an edge for every input', (_name, machine) => {
    const missing = Object.values(machine.states).filter(({ type }) => type !== 'final')
      .flatMap((state) => (machine.events as string[]).filter((event) => !Object.hasOwn(state.config.on ?? {}, event)).map((event) => `${state.key} ${event}`))
    expect(missing).toEqual([])
  })

test('the fold starts where the machine starts', () => {
  const first = begin(supervisorMachine, bounds)
  expect([first.state, first.effects]).toEqual(['Running', [{ type: 'startChild' }]])
  expect(fold(supervisorMachine, first.snapshot, { type: 'child.ended' }).effects).toEqual([{ type: 'announceEnd' }])
})
