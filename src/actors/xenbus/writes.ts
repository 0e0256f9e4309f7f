/**
 * @packageDocumentation
 * The device chart's effects on XenStore. Writes that the chart waits for answer with an event; the others say
 * something only when they fail. A directory that is gone takes no writes, and that is no failure: its watch says so.
 */
import type { DeviceEffect, DeviceEvent } from '../../machines/device/types.js'
import { codeOf, sentenceOf } from '../../protocol/errors.js'
import type { BackendDirectory } from './backend-directory.js'

export type WriteEffect = Extract<DeviceEffect, {
  type:
    | 'publishFeatures' | 'publishProperties' | 'announceSize' | 'switchState' | 'reportAttachFailure' | 'reportError'
    | 'clearError'
}>

const GONE = 'our directory is gone'

/** Executes one write. @returns what the chart should be told of it, if anything. */
export async function performWrite(
  directory: BackendDirectory, effect: WriteEffect,
): Promise<readonly DeviceEvent[]> {
  try {
    return done(effect, await write(directory, effect))
  } catch (error) {
    if (codeOf(error) === undefined) throw error
    return refused(effect, `XenStore refused (${codeOf(error)}): ${sentenceOf(error)}`)
  }
}

function write(directory: BackendDirectory, effect: WriteEffect): Promise<boolean> {
  switch (effect.type) {
    case 'publishFeatures':
      return directory.write(effect.nodes, effect.withheld)
    case 'publishProperties':
      return directory.write(effect.nodes)
    case 'announceSize':
      return directory.announceSize(effect.nodes)
    case 'switchState':
      return directory.switchState(effect.state)
    case 'reportAttachFailure':
      return directory.reportAttachFailure(effect.sentence)
    case 'reportError':
      return directory.reportError(effect.sentence)
    case 'clearError':
      return directory.clearError()
  }
}

function done(effect: WriteEffect, written: boolean): readonly DeviceEvent[] {
  switch (effect.type) {
    case 'publishFeatures':
      return written ? [{ type: 'xenstore.featuresPublished' }] : refused(effect, GONE)
    case 'publishProperties':
      return written ? [{ type: 'xenstore.propertiesPublished' }] : refused(effect, GONE)
    case 'announceSize':
      return [{ type: 'xenstore.sizeAnnounced' }]
    default:
      return []
  }
}

function refused(effect: WriteEffect, sentence: string): readonly DeviceEvent[] {
  if (effect.type === 'publishFeatures') return [{ type: 'xenstore.featuresRefused', sentence }]
  if (effect.type === 'publishProperties') return [{ type: 'xenstore.propertiesRefused', sentence }]
  const failed: DeviceEvent = {
    type: 'xenstore.writeFailed', what: effect.type, sentence: `${effect.type}: ${sentence}`,
  }
  return effect.type === 'announceSize' ? [failed, { type: 'xenstore.sizeAnnounced' }] : [failed]
}
