/** The pictures of the charts: nothing lies on anything else, nothing is left out, ids are the charts' own names. */
import { charts } from '../../src/machines/index.js'
import { nodesOf } from '../../src/machines/compile/xstate-view.js'
import type { Chart } from '../../src/machines/compile/xstate-view.js'
import { edgesOf, pathOf } from '../../src/observe/chart-words.js'
import { chartScenes } from '../../src/observe/picture/chart-scene.js'
import { layout, type Placed, type PlacedBox, type Rectangle } from '../../src/observe/picture/layout.js'
import { posterScene } from '../../src/observe/picture/poster-scene.js'
import type { Arrow, Box, Scene } from '../../src/observe/picture/scene.js'
import { toSvg } from '../../src/observe/picture/svg.js'
import { textWidth, wrap } from '../../src/observe/picture/text-width.js'
import { FAILURES } from '../../src/observe/picture/tones.js'
import { copierChart, doorChart } from './test-charts.js'

const programs = charts.map(({ chart }) => chart)
const scenes = [...[copierChart as Chart, doorChart as Chart, ...programs].flatMap(chartScenes), posterScene(charts)]
const named = scenes.map((scene): [string, Scene] => [scene.title, scene])

/** Each is laid out once. */
const drawn = new Map<Scene, Promise<Placed>>()
function placedOf(scene: Scene): Promise<Placed> {
  const placed = drawn.get(scene) ?? layout(scene)
  drawn.set(scene, placed)
  return placed
}

const everyBox = (box: Box): Box[] => [box, ...box.boxes.flatMap(everyBox)]
const everyArrow = (scene: Scene): Arrow[] => everyBox(scene.root).flatMap(({ arrows }) => arrows)
const everyPlaced = (box: PlacedBox): PlacedBox[] => [box, ...box.boxes.flatMap(everyPlaced)]

const overlap = (a: Rectangle, b: Rectangle) =>
  a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height

/** What lies on what, of the things that have words: labels of arrows, boxes without boxes inside, and headings. */
function collisions({ root }: Placed): string[] {
  const boxes = everyPlaced(root)
  const words = [
    ...boxes.flatMap(({ arrows }) => arrows).flatMap(({ arrow, label }) => (label ? [{ name: arrow.id, place: label }] : [])),
    ...boxes.filter(({ boxes: inside }) => inside.length === 0).map((place) => ({ name: place.box.id, place })),
    ...boxes.filter(({ boxes: inside }) => inside.length > 0).map((place) => {
      const first = Math.min(...place.boxes.map(({ y }) => y), ...place.arrows.flatMap(({ points }) => points.map(({ y }) => y)))
      return { name: `heading of ${place.box.id}`, place: { ...place, height: first - place.y } }
    }),
  ]
  return words.flatMap(({ name, place }, index) =>
    words.slice(index + 1).filter((other) => overlap(place, other.place)).map((other) => `${name} and ${other.name}`),
  )
}

test.each(named)('%s: no label lies on another, on a box, or on a heading', async (_, scene) => {
  const placed = await placedOf(scene)
  expect(collisions(placed)).toEqual([])
  for (const { box, boxes, ...outer } of everyPlaced(placed.root))
    for (const inner of boxes) {
      expect([box.id, inner.x >= outer.x && inner.x + inner.width <= outer.x + outer.width]).toEqual([box.id, true])
      expect([box.id, inner.y >= outer.y && inner.y + inner.height <= outer.y + outer.height]).toEqual([box.id, true])
    }
})

test('the check for collisions finds one', async () => {
  const placed = await layout(chartScenes(charts[1].chart)[0])
  const [first, second, ...others] = placed.root.arrows.filter(({ label }) => label !== undefined)
  const { label = placed.root } = second
  const moved = { ...placed.root, arrows: [{ ...first, label }, second, ...others] }
  expect(collisions({ ...placed, root: moved })).toEqual([`${first.arrow.id} and ${second.arrow.id}`])
})

test.each(charts)('chart $name: every state has its box, every edge is told once, in place or on an arrow', ({ chart }) => {
  const [outline, ...details] = chartScenes(chart)
  const boxes = everyBox(outline.root)
  expect(boxes.filter(({ kind }) => kind !== 'dot').map(({ id }) => id)).toEqual(
    nodesOf(chart).map(({ path }) => [chart.id, ...path].join('.')),
  )
  const inDetails = details.flatMap(({ root }) => everyBox(root)).map(({ id }) => id)
  expect(inDetails.filter((id) => !id.endsWith('.begin') && !boxes.some((box) => box.id === id))).toEqual([])
  const told = [outline, ...details].flatMap((scene) => [
    ...everyArrow(scene).flatMap(({ edges }) => edges),
    ...(scene === outline ? everyBox(scene.root).flatMap(({ lines }) => lines.flatMap(({ edges = [] }) => edges)) : []),
  ])
  const leaving = nodesOf(chart).flatMap(edgesOf).filter(({ source, transition: { target = [] } }) => {
    return target.some(({ path }) => !path.every((key, at) => source.path[at] === key))
  })
  expect([...told].sort()).toEqual(leaving.map(({ id }) => id).sort())
  // What stays is in the tooltip of its state, in full.
  for (const node of nodesOf(chart))
    for (const { transition } of edgesOf(node).filter((edge) => edge.transition.target === undefined)) {
      const box = boxes.find(({ id }) => id === [chart.id, ...node.path].join('.'))
      expect(box?.tooltip).toContain(transition.description)
    }
})

test.each(named)('%s: as SVG it is well formed, its ids are unique, and it needs nothing else', async (_, scene) => {
  const svg = toSvg(await placedOf(scene))
  const ids = [...svg.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id)
  expect(ids.filter((id, at) => ids.indexOf(id) !== at)).toEqual([])
  for (const { id, kind } of everyBox(scene.root)) if (kind !== 'dot') expect(ids).toContain(id)
  for (const { id } of everyArrow(scene)) expect(ids).toContain(id)
  const open: string[] = []
  for (const [, close, tag, attributes] of svg.matchAll(/<(\/?)([a-z]+)([^<>]*)>/g))
    if (close) expect(open.pop()).toBe(tag)
    else if (!attributes.endsWith('/')) open.push(tag)
  expect(open).toEqual([])
  expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|<script|@import|href=/)
  expect(svg).toContain('@media (prefers-color-scheme: dark)')
})

test('states that are red exist', () => {
  const missing = Object.entries(FAILURES).flatMap(([name, paths]) => {
    const chart = programs.find(({ id }) => id === name)
    const known = chart === undefined ? [] : nodesOf(chart).map(pathOf)
    return paths.filter((path) => !known.includes(path)).map((path) => `${name}: ${path}`)
  })
  expect(missing).toEqual([])
})

test('the poster has every event of every chart once, and refuses one of which it does not know the sender', () => {
  const told = everyArrow(posterScene(charts)).flatMap(({ edges }) => edges)
  const events = programs.flatMap((chart) =>
    [...new Set(nodesOf(chart).flatMap((node) => [...node.transitions.keys()]))]
      .filter((event) => event !== '*')
      .map((event) => `${chart.id}|${event}`),
  )
  expect(told.sort()).toEqual(events.sort())
  const door = { name: 'door', chart: doorChart as Chart, compiled: false }
  expect(() => posterScene([...charts, door])).toThrow(/nobody on the poster sends/)
})

test('text is measured by letters, and broken at blanks only', () => {
  expect(textWidth('mm', 'note')).toBeGreaterThan(textWidth('ii', 'note'))
  expect(textWidth('a', 'name')).toBeGreaterThan(textWidth('a', 'note'))
  const broken = wrap('one two-three four', 'note', 40)
  expect(broken.join(' ')).toBe('one two-three four')
  expect(broken).toContain('two-three')
})
