/**
 * @packageDocumentation
 * A placed scene as SVG: rectangles, paths and text, nothing that a viewer would have to calculate. It needs no font,
 * no script and no other file; colours follow the viewer's light or dark scheme; what the pointer rests on says itself
 * in full (`<title>`). Whatever is put in comes from charts and is escaped all the same.
 *
 *   <g class="state xen" id="device.Connected">      the very names of the chart; a page adds the class `active`
 *   <g class="arrow failure" id="device.Closing--Closed" data-edges="Closing.closingMedium|medium.closed|0 …">
 */
import { look } from './look.js'
import { LABEL_PADDING, paddingOf, type Placed, type PlacedArrow, type PlacedBox, type Rectangle } from './layout.js'
import type { Box, Line, Tone } from './scene.js'
import { FONT, textWidth } from './text-width.js'

const CORNER = 7
const MARGIN = 8
const LEGEND_LINE = 20
const LEGEND_WIDTH = 400
/** Blanks that a viewer does not fold into one. */
const SPACE = '\u00a0\u00a0\u00a0\u00a0'

const ESCAPES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }
const escaped = (text: string) => text.replace(/[&<>"]/g, (letter) => ESCAPES[letter])
const number = (value: number) => `${Math.round(value * 10) / 10}`
const title = (text: string) => `<title>${escaped(text)}</title>`

function textLines(lines: readonly Line[], x: number, top: number, anchor: 'start' | 'middle'): string[] {
  let y = top
  return lines.map(({ style, text, edges = [] }) => {
    const { size, line } = FONT[style]
    const base = y + (line + size) / 2 - size * 0.12
    y += line
    const told = edges.length === 0 ? '' : ` data-edges="${escaped(edges.join(' '))}"`
    const middle = anchor === 'middle' ? ' text-anchor="middle"' : ''
    return `<text class="${style}" x="${number(x)}" y="${number(base)}"${middle}${told}>${escaped(text)}</text>`
  })
}

function rectangle(name: string, { x, y, width, height }: Rectangle, inset: number, radius: number): string {
  const place = `x="${number(x + inset)}" y="${number(y + inset)}"`
  const size = `width="${number(width - 2 * inset)}" height="${number(height - 2 * inset)}"`
  return `<rect class="${name}" ${place} ${size} rx="${radius}"/>`
}

function boxParts(placed: PlacedBox, chart: string, depth: number): string[] {
  const { box, x, y, width } = placed
  if (box.kind === 'dot') {
    const [cx, cy, radius] = [x + width / 2, y + placed.height / 2, width / 2 - 1]
    const place = `cx="${number(cx)}" cy="${number(cy)}" r="${number(radius)}"`
    return [`<circle class="dot" ${place}>${title(box.tooltip)}</circle>`]
  }
  const isHolder = box.boxes.length > 0
  const padding = paddingOf(box)
  const shape = isHolder ? `group depth-${depth % 2}` : 'leaf'
  const head = isHolder
    ? textLines(box.lines, x + padding, y + padding, 'start')
    : textLines(box.lines, x + width / 2, y + padding, 'middle')
  return [
    `<g class="state ${box.tone}" id="${escaped(box.id)}">${title(box.tooltip)}`,
    rectangle(shape, placed, 0, isHolder ? 12 : 8),
    ...(box.kind === 'final' ? [rectangle('inner', placed, 3, 6)] : []),
    ...head,
    '</g>',
    ...placed.boxes.flatMap((child) => boxParts(child, chart, depth + 1)),
    ...placed.arrows.flatMap((arrow) => arrowParts(arrow, chart)),
  ]
}

/** A line with its corners rounded, as far as the way between two of them allows. */
function way(points: PlacedArrow['points']): string {
  const [first, ...rest] = points
  const parts = [`M${number(first.x)} ${number(first.y)}`]
  rest.forEach((point, index) => {
    const next = rest[index + 1]
    if (next === undefined) {
      parts.push(`L${number(point.x)} ${number(point.y)}`)
      return
    }
    const before = toward(point, points[index])
    const after = toward(point, next)
    parts.push(`L${number(before.x)} ${number(before.y)}`)
    parts.push(`Q${number(point.x)} ${number(point.y)} ${number(after.x)} ${number(after.y)}`)
  })
  return parts.join('')
}

/** The point on the way from `corner` to `other` where rounding begins. */
function toward(corner: { x: number; y: number }, other: { x: number; y: number }): { x: number; y: number } {
  const distance = Math.hypot(other.x - corner.x, other.y - corner.y)
  const part = distance === 0 ? 0 : Math.min(CORNER, distance / 2) / distance
  return { x: corner.x + (other.x - corner.x) * part, y: corner.y + (other.y - corner.y) * part }
}

function arrowParts({ arrow, points, label }: PlacedArrow, chart: string): string[] {
  const edges = arrow.edges.length === 0 ? '' : ` data-edges="${escaped(arrow.edges.join(' '))}"`
  const tip = arrow.tone === 'failure' ? 'failure-tip' : 'tip'
  const line = `<path class="line" d="${way(points)}" marker-end="url(#${chart}.${tip})"/>`
  const words =
    label === undefined
      ? []
      : [
          rectangle('paper', label, 0, 2),
          ...textLines(arrow.lines, label.x + label.width / 2, label.y + LABEL_PADDING, 'middle'),
        ]
  return [
    `<g class="arrow ${arrow.tone}" id="${escaped(arrow.id)}"${edges}>${title(arrow.tooltip)}`,
    line,
    ...words,
    '</g>',
  ]
}

function marker(id: string, name: string): string {
  return (
    `<marker id="${id}" viewBox="0 0 10 10" refX="9" refY="5" markerUnits="userSpaceOnUse" ` +
    'markerWidth="10" markerHeight="10" orient="auto">' +
    `<path class="${name}" d="M0 1 L10 5 L0 9 Z"/></marker>`
  )
}

/** What colours and signs mean, below the picture. */
function legend({ scene, root }: Placed): string[] {
  const names = { xen: 'Xen’s word', ours: 'ours', failure: 'failure', world: 'outside' } as const
  const used = tonesOf(scene.root)
  const y = root.y + root.height + 10
  let x = root.x + 4
  const swatches = (Object.keys(names) as Tone[]).filter((tone) => used.has(tone)).flatMap((tone) => {
    const left = x
    x += 24 + textWidth(names[tone], 'note') + 16
    return [
      `<g class="${tone}">${rectangle('leaf', { x: left, y, width: 18, height: 12 }, 0, 3)}</g>`,
      ...textLines([{ style: 'note', text: names[tone] }], left + 24, y - 1, 'start'),
    ]
  })
  const signs: Line = { style: 'note', text: scene.signs.join(SPACE) }
  return [...swatches, ...textLines([signs], root.x + 4, y + LEGEND_LINE, 'start')]
}

const tonesOf = (box: Box): Set<Tone> => new Set([box.tone, ...box.boxes.flatMap((child) => [...tonesOf(child)])])

/** The picture as a file, ending in a newline. */
export function toSvg({ scene, root }: Placed): string {
  const width = Math.max(root.width, LEGEND_WIDTH) + 2 * MARGIN
  const height = root.height + 2 * LEGEND_LINE + 2 * MARGIN
  const name = `${scene.title}.title`
  const box = `${-MARGIN} ${-MARGIN} ${number(width)} ${number(height)}`
  const size = `viewBox="${box}" width="${number(width)}" height="${number(height)}"`
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" class="xbbd-chart" ${size} role="img" aria-labelledby="${name}">`,
    `<title id="${name}">${escaped(`${scene.title}: ${scene.subtitle}`)}</title>`,
    `<style>\n${look}</style>`,
    '<defs>',
    marker(`${scene.title}.tip`, 'head'),
    marker(`${scene.title}.failure-tip`, 'failure-head'),
    '</defs>',
    ...boxParts(root, scene.title, 0),
    ...legend({ scene, root }),
    '</svg>',
    '',
  ].join('\n')
}
