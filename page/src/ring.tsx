/**
 * @packageDocumentation
 * A ring drawn as a ring: as many entries as it has, clockwise, and on them what each index says. Between the answers
 * published and the entries taken lie those at work; between those taken and those produced, the ones that wait for us.
 *
 *   rsp_prod ─ at work ─ req_cons ─ produced, not taken ─ req_prod ─ free ─ …
 *
 * and before rsp_prod, of a ring that one can look at, the answers that the guest has not consumed.
 */
import type { QueueView } from '../../src/observe/page/types.js'
import { many } from './format.js'

const RADIUS = 88
const WIDTH = 30
const CENTRE = 150
/** Room for the words at both sides. */
const SIDE = 30
const BOX = `${-SIDE} 0 ${2 * (CENTRE + SIDE)} ${2 * CENTRE}`

interface Arc {
  readonly name: string
  readonly from: number
  readonly count: number
}

export interface Indices {
  readonly entries: number
  /** Entries of each kind, in ring order from `first` on. */
  readonly arcs: readonly Arc[]
  readonly pointers: readonly { readonly name: string; readonly at: number; readonly title: string }[]
}

/** Of the circle. */
const LEAST = 0.012

const u32 = (value: number) => value >>> 0

/**
 * req_prod as it is known: the ring's page may have been looked at before the journal was read, and then what the
 * journal has seen taken is newer.
 */
export function producedOf({ reqProd, reqCons, page }: QueueView): number {
  const produced = page?.reqProd ?? reqProd
  return ((produced - reqCons) | 0) < 0 ? reqCons : produced
}

/** What lies between the indices, as far as they make sense. */
export function indicesOf(queue: QueueView): Indices {
  const { reqCons, rspProd, entries, page } = queue
  const produced = producedOf(queue)
  const within = (value: number) => Math.min(entries, u32(value))
  const working = within(reqCons - rspProd)
  const waiting = Math.min(entries - working, within(produced - reqCons))
  const unread =
    page === undefined ? 0 : Math.min(entries - working - waiting, within(page.rspProd - page.rspEvent + 1))
  const arcs = [
    { name: 'unread', from: u32(rspProd - unread), count: unread },
    { name: 'working', from: rspProd, count: working },
    { name: 'waiting', from: reqCons, count: waiting },
    { name: 'free', from: u32(produced), count: entries - working - waiting - unread },
  ]
  const pointers = [
    { name: 'rsp_prod', at: rspProd, title: 'answers published' },
    { name: 'req_cons', at: reqCons, title: 'entries taken' },
    { name: 'req_prod', at: produced, title: 'entries produced by the guest' },
  ]
  return { entries, arcs: arcs.filter(({ count }) => count > 0), pointers }
}

const TEXTS: Readonly<Record<string, string>> = {
  working: 'taken, at work',
  waiting: 'produced, not yet taken',
  unread: 'answered, not yet consumed',
  free: 'free',
}

export function Ring({ queue }: { readonly queue: QueueView }) {
  const { entries, arcs, pointers } = indicesOf(queue)
  return (
    <figure class="ring">
      <svg viewBox={BOX} role="img" aria-label={arcs.map(({ name, count }) => `${count} ${TEXTS[name]}`).join(', ')}>
        {[...arcs]
          .sort((a, b) => b.count - a.count)
          .map(({ name, from, count }) => (
            <path key={name} class={`arc ${name}`} d={arc(from, count, entries)}>
              <title>{`${count} ${TEXTS[name]}`}</title>
            </path>
          ))}
        {entries <= 64 &&
          Array.from({ length: entries }, (_, at) => <path key={at} class="tick" d={tick(at, entries)} />)}
        {together(pointers, entries).map(({ names, at, title }) => (
          <Pointer key={names} names={names} title={title} angle={angleOf(at, entries)} />
        ))}
        <text class="big" x={CENTRE} y={CENTRE - 4} text-anchor="middle">
          {entries}
        </text>
        <text class="small" x={CENTRE} y={CENTRE + 14} text-anchor="middle">
          entries
        </text>
      </svg>
      <figcaption>
        <b>{queue.journal.split('/').at(-1)}</b> · {queue.state}
        {queue.shortOf !== undefined && <em> · short of {queue.shortOf}</em>}
        <ul>
          {arcs.map(({ name, count }) => (
            <li key={name}>
              <i class={`swatch ${name}`} /> {count} {TEXTS[name]}
            </li>
          ))}
        </ul>
        {whoWaits(queue).map((text) => (
          <p key={text}>{text}</p>
        ))}
      </figcaption>
    </figure>
  )
}

/** Who waits for whom, in words. */
function whoWaits(queue: QueueView): string[] {
  const { reqCons, rspProd, page, requests, state } = queue
  const found: string[] = []
  const waiting = u32(producedOf(queue) - reqCons)
  const working = u32(reqCons - rspProd)
  const open = requests.filter((request) => request.state !== 'Answered')
  const reasons = new Map<string, number>()
  for (const { waitsFor } of open) reasons.set(waitsFor, (reasons.get(waitsFor) ?? 0) + 1)
  if (waiting > 0)
    found.push(`The guest waits for us to take ${many(waiting, 'entry').replace('entrys', 'entries')} (${state}).`)
  for (const [reason, number] of [...reasons].sort((a, b) => b[1] - a[1]).slice(0, 3))
    found.push(`${many(number, 'request')} ${number === 1 ? 'waits' : 'wait'} for ${reason}.`)
  if (
    page !== undefined &&
    u32(page.rspProd - page.rspEvent + 1) > 0 &&
    u32(page.rspProd - page.rspEvent + 1) <= 32 * page.grefs.length
  )
    found.push('We wait for the guest to consume its answers.')
  if (found.length === 0) found.push(working === 0 ? 'Nobody waits: we sleep until the guest notifies.' : '')
  return found.filter((text) => text !== '')
}

const angleOf = (index: number, entries: number) => ((index % entries) / entries) * 2 * Math.PI - Math.PI / 2

const point = (angle: number, radius: number) =>
  `${CENTRE + radius * Math.cos(angle)} ${CENTRE + radius * Math.sin(angle)}`

function arc(from: number, count: number, entries: number): string {
  const [begin, outer, inner] = [angleOf(from, entries), RADIUS + WIDTH / 2, RADIUS - WIDTH / 2]
  // A single entry among hundreds must be seen, too.
  const share = Math.min(Math.max(count / entries, LEAST), 0.9999)
  const end = begin + share * 2 * Math.PI
  const large = share > 0.5 ? 1 : 0
  return (
    `M${point(begin, outer)}A${outer} ${outer} 0 ${large} 1 ${point(end, outer)}` +
    `L${point(end, inner)}A${inner} ${inner} 0 ${large} 0 ${point(begin, inner)}Z`
  )
}

function tick(at: number, entries: number): string {
  const angle = angleOf(at, entries)
  return `M${point(angle, RADIUS - WIDTH / 2)}L${point(angle, RADIUS + WIDTH / 2)}`
}

/** Pointers at the same place, or too near to be told apart, become one. */
function together(pointers: Indices['pointers'], entries: number) {
  const groups: { names: string; at: number; title: string }[] = []
  for (const { name, at, title } of pointers) {
    const near = groups.find((group) => {
      const apart = u32(at - group.at) % entries
      return Math.min(apart, entries - apart) / entries < 0.045
    })
    if (near === undefined) groups.push({ names: `${name} ${at}`, at, title })
    else {
      near.names += `|${name} ${at}`
      near.title += `, ${title}`
    }
  }
  return groups
}

function Pointer({
  names,
  title,
  angle,
}: {
  readonly names: string
  readonly title: string
  readonly angle: number
}) {
  const [outer, text] = [RADIUS + WIDTH / 2, RADIUS + WIDTH / 2 + 14]
  const side = Math.cos(angle) > 0.25 ? 'start' : Math.cos(angle) < -0.25 ? 'end' : 'middle'
  const [x, y] = [CENTRE + text * Math.cos(angle), CENTRE + text * Math.sin(angle)]
  const lines = names.split('|')
  const top =
    y +
    (Math.sin(angle) < -0.5 ? -(lines.length - 1) * 11 : Math.sin(angle) > 0.5 ? 8 : -(lines.length - 2) * 5.5 - 2)
  return (
    <g class="pointer">
      <title>{title}</title>
      <path d={`M${point(angle, RADIUS - WIDTH / 2 - 4)}L${point(angle, outer + 8)}`} />
      {lines.map((line, at) => (
        <text key={line} x={x} y={top + at * 11} text-anchor={side}>
          {line.split(' ')[0]}
        </text>
      ))}
    </g>
  )
}
