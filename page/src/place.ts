/**
 * @packageDocumentation
 * Where one is in the page, as it stands in the address behind the `#`: so that any moment of any device can be sent to
 * somebody, and Back goes back.
 *
 *   #device=vbd/5/51712&at=81234567890123&slot=7&queue=vbd/5/51712/q0&chart=request
 */
export const CHARTS = ['request', 'queue', 'device', 'medium', 'supervisor'] as const
export type ChartName = (typeof CHARTS)[number]

export interface Place {
  readonly device?: string
  /** Absent: now, or where the recording ends. */
  readonly atNs?: number
  readonly queue?: string
  readonly slot?: number
  readonly chart?: ChartName
}

export function readPlace(hash: string): Place {
  const query = new URLSearchParams(hash.replace(/^#/, ''))
  const number = (name: string) => {
    const text = query.get(name)
    return text !== null && text !== '' && Number.isFinite(Number(text)) ? Number(text) : undefined
  }
  const [device, queue, atNs, slot] = [query.get('device'), query.get('queue'), number('at'), number('slot')]
  const chart = CHARTS.find((name) => name === query.get('chart'))
  return {
    ...(device === null ? {} : { device }),
    ...(queue === null ? {} : { queue }),
    ...(atNs === undefined ? {} : { atNs }),
    ...(slot === undefined ? {} : { slot }),
    ...(chart === undefined ? {} : { chart }),
  }
}

export function writePlace({ device, atNs, queue, slot, chart }: Place): string {
  const query = new URLSearchParams()
  if (device !== undefined) query.set('device', device)
  if (atNs !== undefined) query.set('at', String(atNs))
  if (queue !== undefined) query.set('queue', queue)
  if (slot !== undefined) query.set('slot', String(slot))
  if (chart !== undefined) query.set('chart', chart)
  return `#${query.toString().replaceAll('%2F', '/')}`
}

/** The same place without some of its parts. */
export function without(place: Place, ...names: readonly (keyof Place)[]): Place {
  return Object.fromEntries(Object.entries(place).filter(([name]) => !names.includes(name as keyof Place)))
}
