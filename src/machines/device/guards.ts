/**
 * @packageDocumentation
 * What the device chart decides by: its named guards, and the judgements that guards and actions share. All are pure
 * functions of context and event, so that a replay decides the same.
 */
import { BLOCK_SEGMENTS_LIMIT } from '../../protocol/blocks.js'
import { QUEUES_LIMIT } from '../../protocol/keys.js'
import {
  DEFAULT_RING_LIMITS, negotiate, queuesOffered, type NegotiatedRing, type Negotiation, type RingLimits,
} from '../../protocol/negotiation.js'
import type { XenbusState } from '../../protocol/xenbus-state.js'
import { judgeNodes } from './nodes.js'
import { ringLimits } from './offers.js'
import type { DeviceContext, DeviceEvent, RawNodes } from './types.js'

/** Outside of a connection: a front end seen here has let go of the ring it had. */
export function outside(state: XenbusState): boolean {
  return state === 'Unknown' || state === 'Initialising' || state === 'Closed'
}

/** It has published a ring, and may still use it. */
function inside(state: XenbusState): boolean {
  return !outside(state) && state !== 'InitWait'
}

function wantsConnection(state: XenbusState): boolean {
  return state === 'Initialised' || state === 'Connected'
}

/** The keys of the guest, judged; the same for guard and action, since it is a pure function of the event. */
export function judged(context: DeviceContext, event: DeviceEvent): Negotiation | undefined {
  if (event.type !== 'xenstore.frontendRead') return undefined
  const { resuming, medium } = context
  const ring = ringLimits(context)
  if (resuming) return judgedAgain(context, event.nodes)
  return negotiate(event.nodes, { ...ring, maxQueues: medium === null ? 1 : queuesOffered(medium.geometry, ring) })
}

/** What was negotiated once stands, whatever is offered today; it must be the very rings that journals are about. */
function judgedAgain(context: DeviceContext, nodes: RawNodes): Negotiation {
  const { legacies } = context
  const known = legacies.map((legacy) => (legacy.kind === 'recoverable' ? legacy.connection : undefined))
  const abi = known.find((connection) => connection !== undefined)?.abi
  const limits = { ...widest(context), ...(abi && { abiFallback: abi }) }
  const verdict = negotiate(nodes, limits)
  if (!verdict.ok) return verdict
  const { grefs, evtchn, others = [] } = verdict.ring
  const same = [{ grefs, evtchn }, ...others].every((mine, queue) => {
    const theirs = known[queue]
    if (theirs === undefined) return true
    const grefsAreSame = String(mine.grefs) === String(theirs.grefs)
    return grefsAreSame && mine.evtchn === theirs.evtchn && verdict.ring.abi === theirs.abi
  })
  return same ? verdict : OTHER_RING
}

const OTHER_RING: Negotiation = { ok: false, sentence: 'the front end has another ring than the one that was served' }

/**
 * The keys name another ring than the one that is served: its guest was suspended, and resumed without a word, so it
 * has let go of the old one.
 */
function ringIsOther(context: DeviceContext, event: DeviceEvent): boolean {
  if (event.type !== 'xenstore.frontendRead' || !wantsConnection(context.frontend)) return false
  if (context.resuming) return judged(context, event) === OTHER_RING
  const verdict = negotiate(event.nodes, widest(context))
  if (!verdict.ok || context.connection === null) return false
  const named = ({ grefs, evtchn, others = [] }: NegotiatedRing) =>
    [{ grefs, evtchn }, ...others].map((ring) => [...ring.grefs, ring.evtchn].join(' ')).join(', ')
  return named(verdict.ring) !== named(context.connection)
}

/** Whatever may have been offered when a connection was made. */
function widest({ input: { settings: { ring } } }: DeviceContext): RingLimits {
  const { maxRingPageOrder } = DEFAULT_RING_LIMITS
  return { ...ring, maxRingPageOrder, maxQueues: QUEUES_LIMIT, maxRequestSegments: BLOCK_SEGMENTS_LIMIT }
}

export function timeOf(event: DeviceEvent): number {
  return event.type === 'queue.crashed' ? (event.atMs ?? 0) : 0
}

export function recentRejoins(
  { rejoins, input: { settings: { rejoin } } }: DeviceContext, event: DeviceEvent,
): number[] {
  return rejoins.filter((at) => timeOf(event) - at < (rejoin?.periodMs ?? 0))
}

/** It waits for InitWait, or skipped waiting: in both cases after having left the last connection. */
function returned({ frontend, frontendLeft }: DeviceContext): boolean {
  return frontend === 'Initialising' || (frontendLeft && wantsConnection(frontend))
}

/** Its ring is the one that an earlier process served. Closed while nobody served it, it may still wait for answers. */
function canResume({ frontend, frontendLeft }: DeviceContext): boolean {
  return frontend === 'Closed' || (inside(frontend) && !frontendLeft)
}

function isEnding({ ending, gone, orphaned }: DeviceContext): boolean {
  return ending !== null || gone || orphaned
}

function mayRejoin(context: DeviceContext, event: DeviceEvent): boolean {
  const { rejoin, journal } = context.input.settings
  return rejoin !== undefined && journal !== 'off' && recentRejoins(context, event).length < rejoin.max
}

function onlyStartsOver(context: DeviceContext): boolean {
  const { ending, gone, orphaned, online, leaving, medium, nodes, inserted } = context
  if (ending === null || ending.sentence !== null || ending.failed || gone || orphaned) return false
  const open = medium !== null && nodes?.target === inserted
  return ending.abandon && open && online && leaving === 'no' && returned(context)
}

interface GuardArgs {
  readonly context: DeviceContext
  readonly event: DeviceEvent
}

export const guards = {
  nodesIncomplete: ({ context, event }: GuardArgs) =>
    event.type === 'xenstore.nodesRead' &&
    judgeNodes(event.nodes, context.input.domid, context.input.devid).kind === 'incomplete',
  nodesRefused: ({ context }: GuardArgs) => context.refusal !== null,
  directoryGone: ({ context }: GuardArgs) => context.gone,
  isCdrom: ({ context }: GuardArgs) => context.nodes?.cdrom === true,
  targetIsOther: ({ context }: GuardArgs) => context.nodes?.cdrom === true && context.inserted !== context.nodes.target,
  isDrive: ({ context }: GuardArgs) => context.nodes?.cdrom === true,
  driveIsEmpty: ({ context }: GuardArgs) => context.nodes?.target === '',
  isLatestRenewal: ({ context, event }: GuardArgs) =>
    event.type === 'queue.mediumRenewed' && event.renewal === context.renewals,
  isOrphaned: ({ context }: GuardArgs) => context.orphaned,
  isOffline: ({ context }: GuardArgs) => !context.online,
  /** The process is going to end, and XenStore is left alone. */
  isParking: ({ context }: GuardArgs) => context.leaving === 'parked' || context.leaving === 'yielded',
  isYielding: ({ context }: GuardArgs) => context.leaving === 'yielded',
  hasFailed: ({ context }: GuardArgs) => context.ending?.failed === true,
  isEnding: ({ context }: GuardArgs) => isEnding(context),
  mustAbandon: ({ context }: GuardArgs) => context.ending?.abandon === true || context.gone || context.orphaned,
  legacyRefused: ({ event }: GuardArgs) => event.type === 'queue.legacyRead' && event.legacy.kind === 'refused',
  legacyHopeless: ({ event }: GuardArgs) => event.type === 'queue.legacyRead' && event.legacy.kind === 'hopeless',
  /** Closed, and there is no journal to be gone on from. */
  closedForGood: ({ context, event }: GuardArgs) =>
    outside(context.frontend) && event.type === 'queue.legacyRead' &&
    (event.legacy.kind === 'refused' || event.legacy.kind === 'hopeless'),
  legacyRecoverable: ({ event }: GuardArgs) => event.type === 'queue.legacyRead' && event.legacy.kind === 'recoverable',
  /** A queue that dies again and again dies for a reason; and without a journal there is nothing to go on from. */
  mayRejoin: ({ context, event }: GuardArgs) => mayRejoin(context, event),
  frontendHasLeft: ({ context }: GuardArgs) => outside(context.frontend),
  foundOtherSize: ({ context }: GuardArgs) => {
    const { nodes, medium, rejoins } = context
    const published = rejoins.length > 0 ? undefined : nodes?.published
    return published !== undefined && published !== String(medium?.geometry.sectorCount)
  },
  /** An earlier process, parked or killed, left a connection that its front end still holds, or gave up unanswered. */
  foundConnected: ({ context }: GuardArgs) =>
    (context.found === 'Connected' || context.found === 'Closing') && canResume(context),
  /** What is left to say is Closed: asked for, or the front end is outside and does not come back yet. */
  foundEnded: ({ context }: GuardArgs) =>
    !context.online ||
    (['Connected', 'Closing', 'Closed'].includes(context.found) && !returned(context)),
  resumedWhileClosing: ({ context }: GuardArgs) => {
    const { rejoins, found, online, frontend, ending } = context
    return (rejoins.length === 0 && found === 'Closing') || !online || frontend === 'Closing' || ending !== null
  },
  frontendWantsConnection: ({ context }: GuardArgs) => wantsConnection(context.frontend),
  frontendIsClosing: ({ context }: GuardArgs) => context.frontend === 'Closing',
  frontendIsOutside: ({ context }: GuardArgs) => context.frontend === 'Unknown' || context.frontend === 'Closed',
  frontendMayReturn: ({ context }: GuardArgs) => context.online && context.leaving === 'no',
  frontendReturned: ({ context }: GuardArgs) => context.online && context.leaving === 'no' && returned(context),
  ringIsOther: ({ context, event }: GuardArgs) => ringIsOther(context, event),
  /** It only begins anew, on the medium that is open: that need not be closed for it, and may be memory. */
  onlyStartsOver: ({ context }: GuardArgs) => onlyStartsOver(context),
  /** While connecting: nothing was told yet, so it is simply attached again. */
  mayReattach: ({ context, event }: GuardArgs) =>
    !isEnding(context) && context.leaving === 'no' && mayRejoin(context, event),
  connectionRefused: ({ context, event }: GuardArgs) => judged(context, event)?.ok === false,
  wentOffline: ({ event }: GuardArgs) => event.type === 'xenstore.onlineChanged' && !event.online,
} as const
