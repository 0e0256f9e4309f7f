/**
 * @packageDocumentation
 * The device chart's effects on the hypervisor: the steps that open grants, map the ring and bind its channel, and
 * their undoing. What a guest or a dead domain makes fail is an event; an undo that fails is noted, and the other
 * undos go on.
 */
import type { DeviceEffect, DeviceEvent } from '../machines/device/types.js'
import type { HostFailure } from '../ports/host.js'
import { codeOf, sentenceOf } from '../protocol/errors.js'
import type { Holdings, Several } from './holdings.js'

type Acquiring = 'openGrants' | 'mapRing' | 'bindChannel'

export type HypervisorEffect = Extract<DeviceEffect, {
  type: Acquiring | 'closeGrants' | 'unmapRing' | 'unbindChannel'
}>

/** One step or undo, and the event that says how it went. */
export async function askHypervisor(holdings: Holdings, effect: HypervisorEffect): Promise<DeviceEvent> {
  switch (effect.type) {
    case 'openGrants': {
      const result = await holdings.openGrants(effect.domid, effect.mode)
      return result.ok ? { type: 'host.grantsOpened', plan: result.plan } : refused(effect.type, result)
    }
    case 'mapRing': {
      const result = await holdings.mapRings([effect.request, ...(effect.others ?? [])])
      return result.ok ? { type: 'host.ringMapped', ...several(result.plan) } : refused(effect.type, result)
    }
    case 'bindChannel': {
      const result = await holdings.bindChannels(effect.domid, [effect.port, ...(effect.others ?? [])])
      return result.ok ? { type: 'host.channelBound', ...several(result.plan) } : refused(effect.type, result)
    }
    case 'closeGrants':
      return { type: 'host.grantsClosed', ...(await problem(holdings.closeGrants())) }
    case 'unmapRing':
      return { type: 'host.ringUnmapped', ...(await problem(holdings.unmapRings())) }
    case 'unbindChannel':
      return { type: 'host.channelUnbound', ...(await problem(holdings.unbindChannels())) }
  }
}

/** Of a device with one queue there is but one. */
function several<Plan>({ plan, others }: Several<Plan>): { plan: Plan; others?: readonly Plan[] } {
  return others.length === 0 ? { plan } : { plan, others }
}

function refused(step: Acquiring, failure: HostFailure): DeviceEvent {
  const sentence = `${failure.sentence} (${failure.code})`
  switch (step) {
    case 'openGrants':
      return { type: 'host.grantsRefused', sentence }
    case 'mapRing':
      return { type: 'host.ringRefused', sentence }
    case 'bindChannel':
      return { type: 'host.channelRefused', sentence }
  }
}

async function problem(undo: Promise<void>): Promise<{ problem?: string }> {
  try {
    await undo
    return {}
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return { problem: `could not be undone: ${sentenceOf(error)}` }
  }
}
