/**
 * @packageDocumentation
 * Where everything in a scene lies. ELK's layered algorithm does it: states in layers from top to bottom, the words on
 * an arrow as part of the arrow's own way, so that no two of them can meet. Every box is laid out by itself, from the
 * inside to the outside.
 *
 *   Scene ─► ELK's graph ─► elkjs ─► Placed: the scene with absolute coordinates
 *
 * ELK is deterministic with a fixed seed and asks for no font, no clock and no machine: the same scene is laid out the
 * same everywhere. This file is the only one that knows it, and runs when pictures are made (`npm run charts`, tests)
 * and never in the program that serves disks.
 */
import type { ELK, ElkExtendedEdge, ElkLabel, ElkNode, ElkPoint, LayoutOptions } from 'elkjs/lib/elk-api.js'
import type { Arrow, Box, Line, Scene } from './scene.js'
import { FONT, textWidth } from './text-width.js'

export interface Rectangle {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface PlacedBox extends Rectangle {
  readonly box: Box
  readonly boxes: readonly PlacedBox[]
  readonly arrows: readonly PlacedArrow[]
}

export interface PlacedArrow {
  readonly arrow: Arrow
  /** From tail to tip, corners included. */
  readonly points: readonly ElkPoint[]
  /** Where its words stand; absent when it has none. */
  readonly label?: Rectangle
}

export interface Placed {
  readonly scene: Scene
  readonly root: PlacedBox
}

/** Room around the words of an arrow, in pixels. */
export const LABEL_PADDING = 3
const DOT = 12

const SPACING: LayoutOptions = {
  'elk.algorithm': 'layered',
  'elk.direction': 'DOWN',
  'elk.randomSeed': '1',
  'elk.edgeRouting': 'ORTHOGONAL',
  'elk.edgeLabels.inline': 'true',
  'elk.layered.edgeLabels.sideSelection': 'ALWAYS_DOWN',
  'elk.layered.cycleBreaking.strategy': 'DEPTH_FIRST',
  'elk.layered.nodePlacement.strategy': 'NETWORK_SIMPLEX',
  'elk.layered.thoroughness': '40',
  'elk.spacing.nodeNode': '24',
  'elk.spacing.edgeNode': '16',
  'elk.spacing.edgeEdge': '12',
  'elk.spacing.edgeLabel': '4',
  'elk.spacing.labelNode': '8',
  'elk.layered.spacing.nodeNodeBetweenLayers': '28',
  'elk.layered.spacing.edgeNodeBetweenLayers': '14',
  'elk.layered.spacing.edgeEdgeBetweenLayers': '12',
}

/** Where states hold states, a chart tells them in the order of a life; else the arrows know it better. */
const AS_TOLD: LayoutOptions = { ...SPACING, 'elk.layered.cycleBreaking.strategy': 'MODEL_ORDER' }

const PACKED: LayoutOptions = {
  'elk.algorithm': 'rectpacking',
  'elk.aspectRatio': '2.4',
  'elk.spacing.nodeNode': '10',
}

/** Width and height of lines, without any room around them. */
export function sizeOf(lines: readonly Line[]): { readonly width: number; readonly height: number } {
  return {
    width: Math.max(0, ...lines.map(({ text, style }) => textWidth(text, style))),
    height: lines.reduce((sum, { style }) => sum + FONT[style].line, 0),
  }
}

/** Room around the words of a box, in pixels. */
export const paddingOf = ({ lines, boxes }: Box) => (lines[0]?.style === 'part' && boxes.length === 0 ? 5 : 10)

function labelOf({ id, lines }: Arrow): ElkLabel[] {
  if (lines.length === 0) return []
  const { width, height } = sizeOf(lines)
  return [{ id: `${id}.label`, text: '-', width: width + 2 * LABEL_PADDING, height: height + 2 * LABEL_PADDING }]
}

function nodeOf(box: Box): ElkNode {
  if (box.kind === 'dot')
    return { id: box.id, width: DOT, height: DOT, layoutOptions: { 'elk.layered.layering.layerConstraint': 'FIRST' } }
  const { width, height } = sizeOf(box.lines)
  const padding = paddingOf(box)
  const size = { width: width + 2 * padding, height: height + 2 * padding }
  if (box.boxes.length === 0) return { id: box.id, ...size }
  const edges = box.arrows.map((arrow): ElkExtendedEdge => {
    return { id: arrow.id, sources: [arrow.from], targets: [arrow.to], labels: labelOf(arrow) }
  })
  const around = `[top=${size.height + 4},left=${padding + 4},bottom=${padding + 4},right=${padding + 4}]`
  const layoutOptions = {
    ...(box.packed ? PACKED : box.boxes.some(({ boxes }) => boxes.length > 0) ? AS_TOLD : SPACING),
    'elk.padding': around,
    'elk.nodeSize.constraints': 'MINIMUM_SIZE',
    'elk.nodeSize.minimum': `(${size.width},${size.height})`,
  }
  return { id: box.id, children: box.boxes.map(nodeOf), edges, layoutOptions }
}

/** ELK's coordinates are relative to the box around; ours are not. */
function placed(box: Box, node: ElkNode, left: number, top: number): PlacedBox {
  const [x, y] = [left + (node.x ?? 0), top + (node.y ?? 0)]
  const move = (point: ElkPoint): ElkPoint => ({ x: x + point.x, y: y + point.y })
  const arrows = box.arrows.map((arrow, index): PlacedArrow => {
    const edge = node.edges?.[index]
    const points = (edge?.sections ?? []).flatMap(({ startPoint, bendPoints = [], endPoint }) => [
      move(startPoint), ...bendPoints.map(move), move(endPoint),
    ])
    const [label] = edge?.labels ?? []
    if (label === undefined) return { arrow, points }
    const { x: labelX = 0, y: labelY = 0, width = 0, height = 0 } = label
    return { arrow, points, label: { ...move({ x: labelX, y: labelY }), width, height } }
  })
  const boxes = box.boxes.map((child, index) => placed(child, node.children?.[index] ?? { id: child.id }, x, y))
  return { box, x, y, width: node.width ?? 0, height: node.height ?? 0, boxes, arrows }
}

/** Lays the scene out. */
export async function layout(scene: Scene): Promise<Placed> {
  const { default: Elk } = (await import('elkjs/lib/elk.bundled.js')) as unknown as { default: new () => ELK }
  const graph = await new Elk().layout(nodeOf(scene.root))
  return { scene, root: placed(scene.root, graph, 0, 0) }
}
