/**
 * @packageDocumentation
 * A picture before anybody knows where its parts lie: boxes within boxes, arrows between the boxes of one box, the
 * words on both. A chart becomes such a scene (chart-scene.ts), and so does the whole program (poster-scene.ts); one
 * layout (layout.ts) and one drawing (svg.ts) serve both, so that a colour or a line means the same everywhere.
 *
 *   Box ─┬─ lines      what is written in it, one entry a printed line: nothing is wrapped later
 *        ├─ boxes      what is inside
 *        └─ arrows     between two of `boxes`; an arrow that would cross a border is drawn between the outer boxes
 *
 * Ids are stable: they follow from the names in the chart and from nothing else, so that a page can light up what is
 * active now in a picture that was made long before.
 */

/** Whose word it is: Xen's, ours, that of something that went wrong, or of the world around. */
export type Tone = 'xen' | 'ours' | 'failure' | 'world'

/** How a line is set: a name, the name of a part in an outline, an explanation, or what stands in the chart itself. */
export type LineStyle = 'name' | 'part' | 'note' | 'law'

export interface Line {
  readonly style: LineStyle
  readonly text: string
  /** Ids of edges that are told here in words, because an arrow for each would hide the others. */
  readonly edges?: readonly string[]
}

export interface Box {
  readonly id: string
  readonly name: string
  readonly tone: Tone
  /** `dot` is where a chart begins, and has no words; a `final` one ends it. */
  readonly kind: 'dot' | 'plain' | 'final'
  /** Its boxes have no order that arrows show: regions, which are all active at once, or parts that are only named. */
  readonly packed: boolean
  readonly lines: readonly Line[]
  readonly tooltip: string
  readonly boxes: readonly Box[]
  readonly arrows: readonly Arrow[]
}

export interface Arrow {
  readonly id: string
  /** Ids of the boxes at both ends. */
  readonly from: string
  readonly to: string
  readonly tone: Tone
  readonly lines: readonly Line[]
  readonly tooltip: string
  /** Ids of all edges that this arrow stands for. */
  readonly edges: readonly string[]
}

export interface Scene {
  readonly title: string
  readonly subtitle: string
  /** What its signs mean, for the legend. */
  readonly signs: readonly string[]
  readonly root: Box
}
