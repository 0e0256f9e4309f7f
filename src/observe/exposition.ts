/**
 * @packageDocumentation
 * Prometheus' text format (version 0.0.4), as far as it is needed: families of samples with labels. It is small and has
 * not changed for years; a library would bring a registry of its own, where everything here exists already and is only
 * read.
 *
 *   # HELP xbbd_requests_total Requests answered, by operation.
 *   # TYPE xbbd_requests_total counter
 *   xbbd_requests_total{device="vbd/1/51712",operation="read"} 17
 *
 * Label values can come from a toolstack (a target's path), and are escaped; nothing that a guest wrote is a label.
 */
export type Labels = Readonly<Record<string, string>>

export interface Sample {
  /** After the family's name: `_bucket`, `_sum`, `_count`; empty for anything but a histogram. */
  readonly suffix?: string
  readonly labels: Labels
  readonly value: number
}

export interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8'

const escapedHelp = (text: string) => text.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')
const escapedValue = (text: string) => escapedHelp(text).replaceAll('"', '\\"')

function labelsText(labels: Labels): string {
  const parts = Object.entries(labels).map(([name, value]) => `${name}="${escapedValue(value)}"`)
  return parts.length === 0 ? '' : `{${parts.join(',')}}`
}

/** All families as one text. One without samples is left out: nothing is known of it. */
export function exposition(families: readonly Family[]): string {
  const texts = families.filter(({ samples }) => samples.length > 0).map(({ name, type, help, samples }) => {
    const lines = samples.map(({ suffix = '', labels, value }) => `${name}${suffix}${labelsText(labels)} ${value}\n`)
    return `# HELP ${name} ${escapedHelp(help)}\n# TYPE ${name} ${type}\n${lines.join('')}`
  })
  return texts.join('')
}

/** A cumulative histogram's samples: `bounds[i]` ends the bucket that holds `counts[i]`; the rest is beyond all. */
export function histogramSamples(
  labels: Labels, bounds: readonly number[], counts: readonly number[], total: number, sum: number,
): Sample[] {
  let below = 0
  const buckets = bounds.map((bound, index): Sample => {
    below += counts[index]
    return { suffix: '_bucket', labels: { ...labels, le: `${bound}` }, value: below }
  })
  return [
    ...buckets,
    { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: total },
    { suffix: '_sum', labels, value: sum },
    { suffix: '_count', labels, value: total },
  ]
}
