/**
 * @packageDocumentation
 * Every XenbusState of the front end in every state of the device: an explicit edge each (S28), and the outcome of
 * each as a table; the same for the death of the guest's domain. The tables are the specification: a change of the
 * chart that moves one of their cells is seen.
 */
import { deviceMachine } from '../../src/machines/device.machine.js'
import type { DeviceEvent } from '../../src/machines/device/types.js'
import { XENBUS_STATES } from '../../src/protocol/xenbus-state.js'
import { carriedOn, givenState, held, names, says, settle, ways } from '../support/device-chart.js'
import { domainGoneTable, edgeTable } from './device-edges.table.js'

type Node = typeof deviceMachine.root

function leaves(node: Node): Node[] {
  const below = Object.values<Node>(node.states)
  return below.length === 0 ? [node] : below.flatMap(leaves)
}

/** A leaf that decides at once (`always`) is never rested in. */
const resting = leaves(deviceMachine.root).filter((node) => node.always === undefined && node.type !== 'final')

function handles(node: Node | undefined, event: string): boolean {
  if (node === undefined || node === deviceMachine.root) return false
  return Object.hasOwn(node.config.on ?? {}, event) || handles(node.parent, event)
}

test('S28: every resting state has its own or an inherited edge for each of the nine states of the front end', () => {
  const missing = resting
    .filter((node) => node.key !== 'Parked')
    .flatMap((node) => XENBUS_STATES.filter((state) => !handles(node, `frontend.${state}`)).map((state) => `${node.id} ${state}`))
  expect(missing).toEqual([])
  expect(resting.length).toBeGreaterThan(30)
})

test('inputs that lead to every resting state are known', () => {
  const covered = new Set(Object.keys(ways).flatMap((name) => name.split(' ')).map((leaf) => `device.${leaf}`))
  expect(resting.map((node) => node.id).filter((id) => !covered.has(id))).toEqual([])
  for (const name of Object.keys(ways)) expect(givenState(name).state).toBe(name)
})

function outcome(name: string, event: DeviceEvent): string {
  const before = givenState(name)
  const after = before.when(event)
  const effects = names(after.effects)
  if (after.state === name && effects.length === 0) return '.'
  return [after.state === name ? '=' : after.state, ...effects].join(' ')
}

const rows = Object.keys(ways).filter((name) => name !== 'Removed')

test('S28: what each word of the front end does in each state', () => {
  const lines = rows.flatMap((name) => XENBUS_STATES.map((state) => `${name} | ${state} | ${outcome(name, says(state))}`))
  expect(lines.filter((line) => !line.endsWith('| .')).join('\n')).toBe(edgeTable)
  expect(lines).toHaveLength(rows.length * 9)
})

describe('the guest’s domain dies and nobody removes its directories', () => {
  const event: DeviceEvent = { type: 'xenstore.domainGone' }

  test('every resting state has its own or an inherited edge for it', () => {
    const missing = resting.filter((node) => node.key !== 'Parked' && !handles(node, event.type))
    expect(missing.map((node) => node.id)).toEqual([])
  })

  test('what it does in each state', () => {
    const lines = rows.map((name) => `${name} | ${outcome(name, event)}`)
    expect(lines.filter((line) => !line.endsWith('| .')).join('\n')).toBe(domainGoneTable)
  })

  test.each(rows.filter((name) => !['Parked', 'Failed', 'Closed.offline'].includes(name)))(
    '%s: everything is let go, Closed is said, nobody is expected back, and detaching still works', (name) => {
      const over = settle(carriedOn(givenState(name).when(event)))
      expect(over.context.orphaned).toBe(true)
      // A queue that died, or was left to another process, needs no detaching.
      expect(held(over.all)).toEqual(['Recovering.rejudging', 'Parking.yielding'].includes(name) ? ['attachQueue'] : [])
      if (name.startsWith('Parking')) return expect(over.state).toBe('Parked')
      expect(over.state).toBe('Closed.orphaned')
      expect(over.context.error).toMatch(/domain 5 is gone.*xbbd detach --domain 5 --vdev xvda/)
      for (const state of XENBUS_STATES) expect(over.when(says(state)).effects).toEqual([])
      const asked = over.when({ type: 'xenstore.closeRequested', online: false })
      expect(names(asked.effects)).toEqual(['→ Closed', 'reportEnded'])
      expect(asked.when({ type: 'xenstore.directoryVanished' }).state).toBe('Removed')
    })
})
