/**
 * @packageDocumentation
 * The picture of a chart, with what is active lit and the way of the last steps marked. The picture is the very file of
 * visualizations/; its ids are the chart's own names, so nothing is known here of any state.
 *
 *   state  <g class="state" id="device.Connected">                  + active, and how many stand there
 *   arrow  <g class="arrow" data-edges="Submitted|completed|0 …">   + taken, the latest one stronger
 */
import { useEffect, useRef, useState } from 'preact/hooks'
import type { TrailStep } from '../../src/observe/page/types.js'
import { picture } from './server.js'

const SVG = 'http://www.w3.org/2000/svg'
const pictures = new Map<string, Promise<Document | undefined>>()

function pictureOf(name: string): Promise<Document | undefined> {
  let known = pictures.get(name)
  if (known === undefined) {
    known = picture(name)
    pictures.set(name, known)
  }
  return known
}

interface Props {
  readonly chart: string
  /** The file, without .svg: `device`, `device.Connected`. */
  readonly name: string
  /** Leaves, by blanks. */
  readonly states: readonly string[]
  /** How many actors stand in each, where that is more than one can be. */
  readonly counts?: Readonly<Record<string, number>>
  /** Oldest first. */
  readonly trail: readonly TrailStep[]
}

export function Chart({ chart, name, states, counts, trail }: Props) {
  const holder = useRef<HTMLDivElement>(null)
  const [isWhole, setWhole] = useState(false)
  const [loaded, setLoaded] = useState<string>()
  useEffect(() => {
    let isOver = false
    void pictureOf(name).then((document_) => {
      const root = document_?.documentElement
      if (isOver || holder.current === null) return
      if (root === undefined) return holder.current.replaceChildren()
      holder.current.replaceChildren(document.importNode(root, true))
      setLoaded(name)
    })
    return () => {
      isOver = true
    }
  }, [name])
  useEffect(() => {
    const root = holder.current?.querySelector('svg')
    if (root && loaded === name) light(root, chart, states, counts ?? {}, trail)
  })
  const active = states.join(' ') || Object.keys(counts ?? {}).join(' ')
  useEffect(() => {
    if (holder.current !== null) centre(holder.current)
  }, [isWhole, loaded, active])
  return (
    <div class="chart">
      <button class="plain size" onClick={() => setWhole(!isWhole)}>
        {isWhole ? 'larger' : 'whole'}
      </button>
      <div
        ref={holder}
        class={isWhole ? 'picture whole' : 'picture'}
        tabIndex={0}
        role="region"
        aria-label={`chart ${name}`}
      />
    </div>
  )
}

/** Scrolls the picture, and nothing around it, to what is lit. */
function centre(holder: HTMLElement): void {
  const lit = [...holder.querySelectorAll('.state.active > .leaf')].map((leaf) => leaf.getBoundingClientRect())
  if (lit.length === 0) return
  const [top, bottom] = [Math.min(...lit.map((one) => one.top)), Math.max(...lit.map((one) => one.bottom))]
  const own = holder.getBoundingClientRect()
  if (top >= own.top && bottom <= own.bottom) return
  holder.scrollTop += (top + bottom) / 2 - (own.top + own.bottom) / 2
}

function light(
  root: SVGSVGElement,
  chart: string,
  states: readonly string[],
  counts: Readonly<Record<string, number>>,
  trail: readonly TrailStep[],
): void {
  for (const lit of root.querySelectorAll('.active, .taken')) lit.classList.remove('active', 'taken', 'latest')
  for (const badge of root.querySelectorAll('.count')) badge.remove()
  const leaves = [...states.flatMap((state) => state.split(' ')), ...Object.keys(counts)]
  for (const leaf of leaves)
    for (const path of upwards(leaf))
      root.querySelector(`[id="${CSS.escape(`${chart}.${path}`)}"]`)?.classList.add('active')
  for (const [state, number] of Object.entries(counts)) badge(root, `${chart}.${state}`, number)
  const steps = trail.slice(-8)
  steps.forEach((step, at) => {
    for (const arrow of arrowsOf(root, chart, step)) {
      arrow.classList.add('taken')
      if (at === steps.length - 1) arrow.classList.add('latest')
    }
  })
}

/** `a.b.c`, `a.b`, `a`. */
function upwards(path: string): string[] {
  const parts = path.split('.')
  return parts.map((_, at) => parts.slice(0, parts.length - at).join('.'))
}

/** Arrows and lines of text that stand for the step: of the event, from the state or one around it, to where it led. */
function arrowsOf(root: SVGSVGElement, chart: string, { event, from, to }: TrailStep): Element[] {
  const sources = from.split(' ').flatMap(upwards)
  const found = [...root.querySelectorAll('[data-edges]')].filter((element) =>
    (element.getAttribute('data-edges') ?? '').split(' ').some((edge) => {
      const [source, name] = edge.split('|')
      return name === event && sources.includes(source)
    }),
  )
  const targets = to.split(' ').flatMap(upwards)
  const exact = found.filter(({ id }) =>
    targets.some((target) => id === `${chart}.${from}--${target}` || id.endsWith(`--${target}`)),
  )
  return exact.length > 0 ? exact : found
}

function badge(root: SVGSVGElement, id: string, number: number): void {
  const state = root.querySelector(`[id="${CSS.escape(id)}"]`)
  const box = state?.querySelector('rect')
  if (!state || !box) return
  const [x, y] = [Number(box.getAttribute('x')) + Number(box.getAttribute('width')), Number(box.getAttribute('y'))]
  const group = document.createElementNS(SVG, 'g')
  group.setAttribute('class', 'count')
  const text = document.createElementNS(SVG, 'text')
  const circle = document.createElementNS(SVG, 'rect')
  const width = 14 + 9 * String(number).length
  for (const [name, value] of [
    ['x', x - width + 6],
    ['y', y - 12],
    ['width', width],
    ['height', 24],
    ['rx', 12],
  ] as const)
    circle.setAttribute(name, String(value))
  text.setAttribute('x', String(x - width / 2 + 6))
  text.setAttribute('y', String(y + 5))
  text.setAttribute('text-anchor', 'middle')
  text.textContent = String(number)
  group.append(circle, text)
  state.append(group)
}
