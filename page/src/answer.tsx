/**
 * @packageDocumentation
 * "Where is my I/O?", answered before anything is asked for: of one disk in the sentences of `xbbd explain`, of all
 * disks by naming those that need somebody.
 */
import type { DeviceRow, DeviceView, Verdict, View } from '../../src/observe/page/types.js'
import { duration, many } from './format.js'

export const WORDS: Readonly<Record<Verdict, string>> = {
  idle: 'idle',
  working: 'working',
  waiting: 'waits',
  recovering: 'recovers',
  'not serving': 'not serving',
  failed: 'failed',
}

/** The class that colours a verdict. */
export const toneOf = (verdict: Verdict) => verdict.replace(' ', '-')

export function Badge({ verdict }: { readonly verdict: Verdict }) {
  return <span class={`badge ${toneOf(verdict)}`}>{WORDS[verdict]}</span>
}

interface Props {
  readonly view: View
  readonly device: DeviceView | undefined
  readonly go: (device: string) => void
}

export function Answer({ view, device, go }: Props) {
  if (device !== undefined) return <OfDevice device={device} />
  const needing = view.devices.filter(({ verdict }) => ['waiting', 'failed', 'recovering'].includes(verdict))
  const short = view.devices.filter((row) => row.shortOf !== undefined && !needing.includes(row))
  const quiet = view.devices.length - needing.length - short.length
  return (
    <section class={`answer ${needing.length > 0 ? 'waiting' : ''}`} aria-label="Where is my I/O?">
      <h2>Where is my I/O?</h2>
      {view.devices.length === 0 && <p>No disk is here at this moment.</p>}
      {[...needing, ...short].slice(0, 8).map((row) => (
        <p key={row.name}>
          <Badge verdict={row.verdict} />{' '}
          <button class="link" onClick={() => go(row.name)}>
            {nameOf(row)}
          </button>{' '}
          {sentenceOf(row)}
        </p>
      ))}
      {quiet > 0 && (
        <p class="quiet">
          {needing.length + short.length === 0
            ? `${many(quiet, 'disk')}: nothing waits longer than it should.`
            : `${many(quiet, 'other disk')} without trouble.`}
        </p>
      )}
    </section>
  )
}

export const nameOf = ({ name, vdev }: DeviceRow) => (vdev === undefined ? name : `${name} (${vdev})`)

function sentenceOf({ oldestNs, shortOf, headline, verdict }: DeviceRow): string {
  const oldest = oldestNs === undefined ? '' : ` It was taken ${duration(oldestNs)} ago.`
  const short = shortOf === undefined ? '' : ` It is short of ${shortOf}.`
  return `${headline.replace(/\.?$/, '.')}${short}${verdict === 'waiting' ? oldest : ''}`
}

function OfDevice({ device: { name, verdict, sentences } }: { readonly device: DeviceView }) {
  const [first, second, ...rest] = sentences
  return (
    <section class={`answer ${toneOf(verdict)}`} aria-label={`Where is the I/O of ${name}?`}>
      <h2>
        {name} <Badge verdict={verdict} />
      </h2>
      <p class="first">{first}</p>
      {second !== undefined && <p>{second}</p>}
      {rest.length > 0 && (
        <details>
          <summary>everything that is known</summary>
          {rest.map((text) => (
            <p key={text}>{text}</p>
          ))}
        </details>
      )}
    </section>
  )
}
