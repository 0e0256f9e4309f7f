/**
 * @packageDocumentation
 * Every disk in a row: how it fares, where its chart stands, how large it is, what it does, how full its ring is.
 * Sixty-four of them fit; on a narrow screen a row becomes a card.
 */
import { useState } from 'preact/hooks'
import type { DeviceRow } from '../../src/observe/page/types.js'
import { Badge, nameOf } from './answer.js'
import { bytes, count, duration } from './format.js'

interface Column {
  readonly title: string
  readonly tip: string
  readonly text: (row: DeviceRow) => string
  /** What is sorted by, descending. */
  readonly value: (row: DeviceRow) => number
}

const dash = '–'
const COLUMNS: readonly Column[] = [
  {
    title: 'size',
    tip: 'capacity',
    text: ({ sizeBytes }) => (sizeBytes === undefined ? dash : bytes(sizeBytes)),
    value: ({ sizeBytes = 0 }) => sizeBytes,
  },
  {
    title: 'reads/s',
    tip: 'reads answered in the last second',
    text: ({ rates }) => (rates ? count(rates.reads) : dash),
    value: ({ rates }) => rates?.reads ?? -1,
  },
  {
    title: 'writes/s',
    tip: 'writes answered in the last second',
    text: ({ rates }) => (rates ? count(rates.writes) : dash),
    value: ({ rates }) => rates?.writes ?? -1,
  },
  {
    title: 'read',
    tip: 'bytes read a second',
    text: ({ rates }) => (rates ? `${bytes(rates.readBytes)}/s` : dash),
    value: ({ rates }) => rates?.readBytes ?? -1,
  },
  {
    title: 'written',
    tip: 'bytes written a second',
    text: ({ rates }) => (rates ? `${bytes(rates.writtenBytes)}/s` : dash),
    value: ({ rates }) => rates?.writtenBytes ?? -1,
  },
  {
    title: 'p50',
    tip: 'half of the requests were answered faster',
    text: ({ rates }) => (rates?.p50Ns === undefined ? dash : duration(rates.p50Ns)),
    value: ({ rates }) => rates?.p50Ns ?? -1,
  },
  {
    title: 'p99',
    tip: '99 % of the requests were answered faster',
    text: ({ rates }) => (rates?.p99Ns === undefined ? dash : duration(rates.p99Ns)),
    value: ({ rates }) => rates?.p99Ns ?? -1,
  },
]

export function DeviceTable({
  rows,
  go,
}: {
  readonly rows: readonly DeviceRow[]
  readonly go: (device: string) => void
}) {
  const [sort, setSort] = useState<string>()
  const column = COLUMNS.find(({ title }) => title === sort)
  const sorted = column === undefined ? rows : [...rows].sort((a, b) => column.value(b) - column.value(a))
  if (rows.length === 0) return null
  return (
    <section aria-label="Disks">
      <h2>Disks</h2>
      <table class="devices">
        <thead>
          <tr>
            <th scope="col">disk</th>
            <th scope="col">state</th>
            {COLUMNS.map(({ title, tip }) => (
              <th
                key={title}
                scope="col"
                class="number"
                title={tip}
                aria-sort={sort === title ? 'descending' : 'none'}
              >
                <button class="plain" onClick={() => setSort(sort === title ? undefined : title)}>
                  {title}
                </button>
              </th>
            ))}
            <th scope="col">in flight</th>
          </tr>
        </thead>
        <tbody>
          {sorted.map((row) => (
            <Row key={row.name} row={row} go={go} />
          ))}
        </tbody>
      </table>
    </section>
  )
}

function Row({ row, go }: { readonly row: DeviceRow; readonly go: (device: string) => void }) {
  return (
    <tr onClick={() => go(row.name)}>
      <th scope="row">
        <Badge verdict={row.verdict} />{' '}
        <button class="link" onClick={() => go(row.name)}>
          {nameOf(row)}
        </button>
        {row.target !== undefined && <small title={row.target}>{row.target}</small>}
      </th>
      <td class="state" title={row.headline}>
        {shortState(row.state)}
        {row.shortOf !== undefined && <em> short of {row.shortOf}</em>}
      </td>
      {COLUMNS.map(({ title, text }) => (
        <td key={title} class="number" data-title={title}>
          {text(row)}
        </td>
      ))}
      <td data-title="in flight">
        <Fill used={row.inFlight} of={row.entries} />
      </td>
    </tr>
  )
}

/** `Connected.intake.Running Connected.medium.Present` as `Connected · Running · Present`. */
export function shortState(state: string): string {
  const leaves = state.split(' ').map((leaf) => leaf.split('.'))
  const tops = [...new Set(leaves.map(([top]) => top))]
  const ends = leaves.filter((leaf) => leaf.length > 1).map((leaf) => leaf.at(-1))
  return [...tops, ...ends].join(' · ')
}

function Fill({ used, of }: { readonly used: number; readonly of: number }) {
  if (of === 0) return <span class="fill">{used}</span>
  return (
    <span class="fill" title={`${used} of ${of} entries of the ring`}>
      <meter min={0} max={of} value={used} aria-label={`${used} of ${of}`} /> {used}
      <small> / {of}</small>
    </span>
  )
}
