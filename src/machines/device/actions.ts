/**
 * @packageDocumentation
 * The device chart's vocabulary: its named actions, with the guards of guards.ts. An action either remembers (`assign`)
 * or asks for an effect (`emit`): it never does anything. What is emitted during one event is collected in order and
 * executed by the shell after the event is done, so nothing outside can throw inside a chart, and replay emits the same
 * list.
 */
import { setup } from 'xstate'
import { assert } from '../../protocol/errors.js'
import { parseXenbusState, XENBUS_STATES, type XenbusState } from '../../protocol/xenbus-state.js'
import { judgeRateLimit } from '../../protocol/rate-limit.js'
import { vdevName } from '../../protocol/vdev.js'
import type { MediumSpec } from '../../ports/medium.js'
import type { QueueTakeover } from '../../ports/queues.js'
import { judgeNodes, parseOnline, targetOf } from './nodes.js'
import { guards, judged, outside, recentRejoins, timeOf } from './guards.js'
import {
  EMPTY_DRIVE, featureNodes, otherSettings, propertyNodes, queueName, queueSettings, sizeNodes, withheldNodes,
} from './offers.js'
import type { QueueOnRing, DeviceContext, DeviceEffect, DeviceEvent, DeviceInput, Ending } from './types.js'

const base = setup({
  types: {
    context: {} as DeviceContext,
    events: {} as DeviceEvent,
    emitted: {} as DeviceEffect,
    input: {} as DeviceInput,
  },
})

const { assign, emit } = base

/** Notes are for people: the newest 16 are kept. */
function noted(context: DeviceContext, ...sentences: readonly string[]): readonly string[] {
  const fresh = sentences.filter((sentence) => !context.notes.includes(sentence))
  return fresh.length === 0 ? context.notes : [...context.notes, ...fresh].slice(-16)
}

/** The first reason keeps its sentence, the flags only get stricter. */
function ended(context: DeviceContext, more: Partial<Ending>): Ending {
  const old = context.ending
  return {
    sentence: old?.sentence ?? more.sentence ?? null,
    abandon: (old?.abandon ?? false) || (more.abandon ?? false),
    failed: (old?.failed ?? false) || (more.failed ?? false),
  }
}

function frontendOf(event: DeviceEvent): XenbusState | undefined {
  if (event.type === 'xenstore.nodesRead') return event.frontendState
  const [source, name] = event.type.split('.')
  return source === 'frontend' ? XENBUS_STATES.find((state) => state === name) : undefined
}

function foundState(text: string | undefined): XenbusState {
  const parsed = parseXenbusState(text)
  return parsed.ok ? parsed.state : 'Unknown'
}

function sentenceOfEvent(event: DeviceEvent): string {
  if (event.type === 'queue.legacyRead' && 'sentence' in event.legacy) return event.legacy.sentence
  return 'sentence' in event ? event.sentence : event.type
}

const memory = {
  rememberNodes: assign(({ context, event }) => {
    if (event.type !== 'xenstore.nodesRead') return {}
    const verdict = judgeNodes(event.nodes, context.input.domid, context.input.devid)
    const { limit, problems } = judgeRateLimit(event.nodes, context.input.settings.limit)
    return {
      limit, notes: noted(context, ...problems),
      nodes: verdict.kind === 'complete' ? verdict.nodes : null,
      refusal: verdict.kind === 'refused' ? verdict.sentence : null,
      online: parseOnline(event.nodes['online']),
      found: foundState(event.nodes['state']),
      frontend: event.frontendState,
      frontendLeft: context.frontendLeft || outside(event.frontendState),
    }
  }),
  rememberLimit: assign(({ context, event }) => {
    if (event.type !== 'xenstore.limitChanged') return {}
    const { limit, problems } = judgeRateLimit(event.nodes, context.input.settings.limit)
    return { limit, notes: noted(context, ...problems) }
  }),
  rememberFrontend: assign(({ context, event }) => {
    const frontend = frontendOf(event) ?? context.frontend
    return { frontend, frontendLeft: context.frontendLeft || outside(frontend) }
  }),
  rememberOnline: assign(({ context, event }) => ({
    online:
      event.type === 'xenstore.onlineChanged' || event.type === 'xenstore.closeRequested'
        ? event.online
        : event.type === 'operator.detached' ? false : context.online,
  })),
  rememberResuming: assign({ resuming: true }),
  rememberLegacy: assign(({ event }) =>
    event.type === 'queue.legacyRead' ? { legacy: event.legacy, legacies: event.legacies ?? [event.legacy] } : {},
  ),
  countRejoin: assign(({ context, event }) => ({
    resuming: true,
    error: sentenceOfEvent(event),
    rejoins: [...recentRejoins(context, event), timeOf(event)],
    notes: noted(context, `its queue died (${sentenceOfEvent(event)}) and was gone on with from its journal`),
  })),
  /** It dies before the front end was told anything: no journal is needed to begin again. */
  countReattach: assign(({ context, event }) => ({
    rejoins: [...recentRejoins(context, event), timeOf(event)],
    notes: noted(context, `its queue died (${sentenceOfEvent(event)}) before it was used, and was attached anew`),
  })),
  /** Begins anew on the medium that is open. */
  startOver: assign({ ending: null, resuming: false, legacy: null, legacies: [], connection: null }),
  /** Before the nodes are read anew: nothing of an earlier connection counts any more. */
  startAfresh: assign({ ending: null, resuming: false, legacy: null, legacies: [], nodes: null, refusal: null }),
  rememberParking: assign(({ event }) => ({
    leaving: event.type === 'operator.yielded' ? 'yielded' as const : 'parked' as const,
  })),
  rememberClosing: assign(({ context: { leaving } }) => (
    leaving === 'parked' || leaving === 'yielded' ? {} : { leaving: 'closed' as const }
  )),
  rememberGone: assign({ gone: true }),
  rememberOrphaned: assign(({ context }) => ({ orphaned: true, error: orphanedSentence(context) })),
  rememberMedium: assign(({ context, event }) =>
    event.type === 'medium.opened' ? { medium: event.plan, notes: noted(context, ...event.notes) } : {},
  ),
  rememberInserted: assign({ inserted: ({ context }) => context.nodes?.target ?? null }),
  rememberTarget: assign(({ context, event }) => {
    if (event.type !== 'xenstore.targetChanged' || context.nodes === null) return {}
    const named = targetOf(event.params, context.nodes.cdrom)
    const target = named.ok ? named.target : ''
    return { nodes: { ...context.nodes, target }, ...(named.ok ? {} : { notes: noted(context, named.sentence) }) }
  }),
  noteTargetKept: assign(({ context }) => ({
    notes: noted(context, 'params was changed while the disk is attached: ignored, only a CD-ROM has discs to change'),
  })),
  discLost: assign(({ context, event }) => ({
    nodes: context.nodes === null ? null : { ...context.nodes, target: '' },
    notes: noted(context, `the drive is empty: ${sentenceOfEvent(event)}`),
  })),
  rememberEmpty: assign({ medium: EMPTY_DRIVE }),
  noteUnreadable: assign(({ context, event }) => ({
    medium: EMPTY_DRIVE,
    notes: noted(context, `the drive is empty: ${sentenceOfEvent(event)}`),
  })),
  countRenewal: assign({ renewals: ({ context }) => context.renewals + 1 }),
  rememberSize: assign(({ context, event }) => {
    if (event.type !== 'medium.resized' || context.medium === null) return {}
    const geometry = { ...context.medium.geometry, sectorCount: event.sectorCount }
    return {
      medium: { ...context.medium, geometry },
      notes: noted(context, `the medium has ${event.sectorCount} sectors now`),
    }
  }),
  rememberConnection: assign(({ context, event }) => {
    const verdict = judged(context, event)
    return verdict?.ok ? { connection: verdict.ring, notes: noted(context, ...verdict.ring.notes) } : {}
  }),
  rememberGrants: assign(({ event }) => (event.type === 'host.grantsOpened' ? { grants: event.plan } : {})),
  rememberRing: assign(({ event }) =>
    event.type === 'host.ringMapped' ? { ring: event.plan, otherRings: event.others ?? [] } : {},
  ),
  rememberChannel: assign(({ event }) =>
    event.type === 'host.channelBound' ? { channel: event.plan, otherChannels: event.others ?? [] } : {},
  ),
  rememberNothing: assign({}),
  forgetGrants: assign(({ context, event }) => ({ grants: null, notes: problemNoted(context, event) })),
  forgetRing: assign(({ context, event }) => ({ ring: null, otherRings: [], notes: problemNoted(context, event) })),
  forgetChannel: assign(({ context, event }) => ({
    channel: null, otherChannels: [], notes: problemNoted(context, event),
  })),
  forgetQueue: assign({ frontendLeft: ({ context }) => context.frontendLeft }),
  forgetMedium: assign({ medium: null, connection: null }),
  beginConnection: assign({ frontendLeft: false, ending: null, connection: null }),
  /** A Worker's death is no new connection. */
  countConnection: assign(({ context }) => ({
    connections: context.legacy?.kind === 'recoverable' && context.connections > 0
      ? context.connections : context.connections + 1,
    error: null, resuming: false, legacy: null, legacies: [],
  })),
  noteEvent: assign(({ context, event }) => ({ notes: noted(context, sentenceOfEvent(event)) })),
} as const

/** A domain's number is not given again soon: nobody will come back under this name. */
function orphanedSentence({ input: { domid, devid } }: DeviceContext): string {
  const detach = `xbbd detach --domain ${domid} --vdev ${vdevName(devid) ?? devid}`
  return `domain ${domid} is gone, its directories in XenStore are not: \`${detach}\` removes them`
}

/** Why a queue is given up: what killed it, and, when it was to be gone on with, why that was not possible. */
function crashText({ error }: DeviceContext, event: DeviceEvent): string {
  const rejoining = event.type === 'queue.legacyRead' || event.type === 'queue.refused'
  if (!rejoining) return sentenceOfEvent(event)
  return 'sentence' in event || 'sentence' in event.legacy ? `${error}; ${sentenceOfEvent(event)}` : String(error)
}

function problemNoted(context: DeviceContext, event: DeviceEvent): readonly string[] {
  return 'problem' in event && event.problem !== undefined ? noted(context, event.problem) : context.notes
}

const endings = {
  /** The front end asked for the end; nothing is wrong. */
  endQuietly: assign(({ context }) => ({ ending: ended(context, {}) })),
  endOrphaned: assign(({ context }) => ({
    ending: ended(context, { abandon: true, sentence: orphanedSentence(context) }),
  })),
  endAbandoning: assign(({ context }) => ({ ending: ended(context, { abandon: true }) })),
  endForRestart: assign(({ context }) => ({
    ending: ended(context, { abandon: true }),
    frontendLeft: true,
    notes: noted(context, 'the front end started over without closing: its old requests were abandoned'),
  })),
  endForRing: assign(({ context }) => ({
    ending: ended(context, {
      abandon: true,
      sentence: 'the front end broke its ring (more requests produced than it holds): the device was closed',
    }),
  })),
  endForMedium: assign(({ context, event }) => ({
    ending: ended(context, { sentence: sentenceOfEvent(event) }),
    error: sentenceOfEvent(event),
  })),
  /** A step of Connecting was refused. */
  endRefused: assign(({ context, event }) => {
    const sentence = refusalOf(context, event)
    return { ending: ended(context, { sentence }), error: context.ending === null ? sentence : context.error }
  }),
  /** The attach as such failed: S4. */
  endFailed: assign(({ context, event }) => {
    const sentence = context.refusal ?? sentenceOfEvent(event)
    return { ending: ended(context, { sentence, failed: true }), error: sentence, online: false }
  }),
  endCrashed: assign(({ context, event }) => {
    const sentence = `its queue broke an invariant and was ended: ${crashText(context, event)}`
    return { ending: ended(context, { sentence, failed: true }), error: sentence }
  }),
  endForTime: assign(({ context }) => ({
    notes: noted(context, 'the front end did not close in time: the device was closed without it'),
  })),
} as const

function refusalOf(context: DeviceContext, event: DeviceEvent): string {
  const verdict = judged(context, event)
  return verdict === undefined || verdict.ok ? sentenceOfEvent(event) : verdict.sentence
}

/** A thing that the chart's structure guarantees to be there; its absence is our own fault. */
function sure<T>(thing: T | null, name: string): T {
  assert(thing !== null, `the device has no ${name} where its chart promises one`)
  return thing
}

/** How the queue begins on a ring that was served before. */
function takeoverOf({ legacies }: DeviceContext, queue = 0): QueueTakeover {
  const kind = legacies[queue]?.kind
  return kind === 'recoverable' ? 'journal' : kind === 'rested' ? 'rested' : 'unknown'
}

function othersOnRings(context: DeviceContext): readonly QueueOnRing[] {
  return otherSettings(context).map((settings, index) => ({
    settings,
    ring: sure(context.otherRings[index] ?? null, 'ring'),
    channel: sure(context.otherChannels[index] ?? null, 'channel'),
    ...(context.resuming && { takeover: takeoverOf(context, index + 1) }),
  }))
}

/** Of a device with one queue there is nothing more to say. */
const besides = <T>(others: readonly T[]): { readonly others?: readonly T[] } => (others.length > 0 ? { others } : {})

/** What the toolstack named, opened as the configuration says. */
function mediumSpec(context: DeviceContext): MediumSpec {
  const { target, readOnly, sectorFormat } = sure(context.nodes, 'nodes')
  return { ...context.input.settings.medium, target, readOnly, ...(sectorFormat && { sectorFormat }) }
}

const stateSwitch = (state: XenbusState) => emit({ type: 'switchState', state })

const effects = {
  readNodes: emit({ type: 'readNodes' }),
  watchFrontend: emit(({ context }) => ({ type: 'watchFrontend', path: sure(context.nodes, 'nodes').frontend })),
  openMedium: emit(({ context }) => ({ type: 'openMedium', spec: mediumSpec(context) })),
  openMediumPatiently: emit(({ context }) => ({ type: 'openMedium', spec: mediumSpec(context), patient: true })),
  readJournal: emit(({ context }) => ({ type: 'readJournal', queue: queueName(context) })),
  closeMedium: emit({ type: 'closeMedium' }),
  publishFeatures: emit(({ context }) => ({
    type: 'publishFeatures', nodes: featureNodes(context), withheld: withheldNodes(context),
  })),
  switchToInitWait: stateSwitch('InitWait'),
  switchToConnected: stateSwitch('Connected'),
  switchToClosing: stateSwitch('Closing'),
  switchToClosed: stateSwitch('Closed'),
  readFrontend: emit(({ context }) => ({ type: 'readFrontend', path: sure(context.nodes, 'nodes').frontend })),
  openGrants: emit(({ context }) => ({
    type: 'openGrants',
    domid: context.input.domid,
    mode: sure(context.connection, 'connection').persistent ? 'persistent' : context.input.settings.grants,
  })),
  mapRing: emit(({ context }) => {
    const { grefs, abi, others = [] } = sure(context.connection, 'connection')
    const { domid } = context.input
    const more = besides(others.map((ring) => ({ domid, grefs: ring.grefs, abi })))
    return { type: 'mapRing', request: { domid, grefs, abi }, ...more }
  }),
  bindChannel: emit(({ context }) => {
    const { evtchn, others = [] } = sure(context.connection, 'connection')
    const more = besides(others.map((ring) => ring.evtchn))
    return { type: 'bindChannel', domid: context.input.domid, port: evtchn, ...more }
  }),
  attachQueue: emit(({ context }) => ({
    type: 'attachQueue',
    settings: queueSettings(context),
    ring: sure(context.ring, 'ring'),
    channel: sure(context.channel, 'channel'),
    grants: sure(context.grants, 'grants'),
    medium: sure(context.medium, 'medium'),
    limit: context.limit,
    ...(context.resuming && { takeover: takeoverOf(context) }),
    ...besides(othersOnRings(context)),
  })),
  publishProperties: emit(({ context }) => ({ type: 'publishProperties', nodes: propertyNodes(context) })),
  announceSize: emit(({ context }) => ({ type: 'announceSize', nodes: sizeNodes(context) })),
  renewQueueMedium: emit(({ context }) => ({
    type: 'renewQueueMedium', queue: queueName(context), plan: sure(context.medium, 'medium'),
    renewal: context.renewals,
  })),
  /** Closing: who waited for space on the medium long enough, or has left, gets an error. */
  drainQueue: emit(({ context }) => ({ type: 'drainQueue', queue: queueName(context), onEnospc: 'error' })),
  /** Parking: nothing may be lost, and no error be made; stopping has its own patience. */
  drainQueuePatiently: emit(({ context }) => ({ type: 'drainQueue', queue: queueName(context), onEnospc: 'wait' })),
  yieldQueue: emit(({ context }) => ({ type: 'yieldQueue', queue: queueName(context) })),
  limitQueue: emit(({ context }) => ({ type: 'limitQueue', queue: queueName(context), limit: context.limit })),
  retryQueue: emit(({ context }) => ({ type: 'retryQueue', queue: queueName(context) })),
  abandonQueue: emit(({ context }) => ({ type: 'abandonQueue', queue: queueName(context) })),
  detachQueue: emit(({ context }) => ({ type: 'detachQueue', queue: queueName(context) })),
  unbindChannel: emit(({ context }) => ({ type: 'unbindChannel', plan: sure(context.channel, 'channel') })),
  unmapRing: emit(({ context }) => ({ type: 'unmapRing', plan: sure(context.ring, 'ring') })),
  closeGrants: emit(({ context }) => ({ type: 'closeGrants', plan: sure(context.grants, 'grants') })),
  startPatience: emit(({ context }) => ({
    type: 'startTimer', timer: 'closePatience', milliseconds: context.input.settings.closePatienceMs,
  })),
  stopPatience: emit({ type: 'stopTimer', timer: 'closePatience' }),
  reportAttachFailure: emit(({ context }) => ({
    type: 'reportAttachFailure', sentence: context.error ?? 'the device cannot be attached',
  })),
  reportError: emit(({ context }) => ({
    type: 'reportError', sentence: context.ending?.sentence ?? context.error ?? 'the connection ended',
  })),
  clearError: emit({ type: 'clearError' }),
  reportRemoved: emit({ type: 'reportEnded', how: 'removed' }),
  reportParked: emit({ type: 'reportEnded', how: 'parked' }),
  reportClosed: emit({ type: 'reportEnded', how: 'closed' }),
  reportFailed: emit({ type: 'reportEnded', how: 'failed' }),
} as const

export type ActionName = keyof typeof memory | keyof typeof endings | keyof typeof effects
export type GuardName = keyof typeof guards

/** `setup()` with everything named; the states are built from it. */
export const device = base.extend({ actions: { ...memory, ...endings, ...effects }, guards })
