/**
 * Two recordings compared by content: when things happened, and how they were cut into batches, makes no difference;
 * what the guest asked, what it was told and in which order does.
 */
import { RECORD_ANSWERED, RECORD_EVENT, RECORD_TAKEN } from '../../src/core/records.js'
import { chainsOf } from '../../src/journal/chain.js'
import { diffRecordings } from '../../src/journal/diff.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { runWorld } from '../../src/sim/run-world.js'
import { chainIn, copyOf, mendChecksums, recordsOf } from '../support/journal-tools.js'
import { recordedDevice, recordedSegments } from '../support/recorded-device.js'

test('a recording is the same as itself, and as itself at another time', () => {
  const chains = recordedDevice()
  const later = chains.map((chain) => ({ ...chain, identity: { ...chain.identity, wallMs: 1e12, pid: 7 } }))
  expect(diffRecordings(chains, later)).toMatchObject({ same: true, differences: [] })
  expect(diffRecordings(chains, later).compared).toBeGreaterThan(200)
})

test('segments of another size change the checkpoints and the batches, not what happened', () => {
  const run = (segmentWords: number) => [chainIn(runWorld({ seed: 8, steps: 300, segmentWords }).segments)]
  expect(diffRecordings(run(2048), run(65536))).toMatchObject({ same: true, differences: [] })
})

describe('one record changed', () => {
  const { queue, actors } = recordedSegments()
  const chainsWith = (changed: readonly Int32Array[]) =>
    chainsOf([...segmentsInMemory(actors, 'actors'), ...segmentsInMemory(changed, 'queue')])
  const changed = (kind: number, change: (words: Int32Array, at: number) => void) => {
    const copy = copyOf(queue)
    const places = recordsOf(copy, kind)
    const place = places[places.length >> 1]
    change(copy[place.segment], place.at)
    mendChecksums(copy)
    return { diff: diffRecordings(chainsWith(queue), chainsWith(copy)), batch: place.batch }
  }

  test('another sector', () => {
    const { diff, batch } = changed(RECORD_TAKEN, (words, at) => (words[at + 4] ^= 64))
    expect(diff.same).toBe(false)
    expect(diff.differences).toHaveLength(1)
    expect(diff.differences[0]).toMatchObject({ kind: 'requests', a: { batch }, b: { batch } })
  })

  test('another answer', () => {
    const { diff, batch } = changed(RECORD_ANSWERED, (words, at) => (words[at + 2] ^= 0xffff0000))
    expect(diff.differences.map(({ kind }) => kind)).toEqual(['outcomes'])
    expect(diff.differences[0].a?.batch).toBe(batch)
    expect(diff.differences[0].b?.text).toMatch(/is answered -1 \(error\)/)
  })

  test('a recording that ends earlier', () => {
    const diff = diffRecordings(chainsWith(queue), chainsWith(queue.slice(0, 3)))
    expect(diff.differences.map(({ kind }) => kind)).toEqual(expect.arrayContaining(['requests', 'outcomes', 'order', 'states']))
    for (const { b } of diff.differences) expect(b).toBeUndefined()
  })

  test('another word of the front end', () => {
    const copy = copyOf(actors)
    const bytes = Buffer.from(copy[0].buffer)
    const holds = (words: Int32Array, at: number) =>
      Buffer.from(words.buffer, at * 4, words[at + 1] + 8).includes('frontend.Closing')
    const [place] = recordsOf(copy, RECORD_EVENT, holds)
    bytes.write('frontend.Clozing', bytes.indexOf('frontend.Closing', place.at * 4))
    mendChecksums(copy)
    const other = chainsOf([...segmentsInMemory(copy, 'actors'), ...segmentsInMemory(queue, 'queue')])
    const diff = diffRecordings(chainsWith(queue), other)
    expect(diff.differences).toMatchObject([{ kind: 'events', journal: 'vbd/1/51712' }])
    expect(diff.differences[0].b?.text).toContain('Clozing')
  })
})

test('what only one side has, other settings, a lost beginning: all are said, none is a difference', () => {
  const chains = recordedDevice()
  expect(diffRecordings(chains, chains.slice(0, 1)).notes).toEqual([expect.stringMatching(/^only A has vbd\/1\/51712\/q0/)])
  const [a, b] = [20, 21].map((slots) => [chainIn(runWorld({ seed: 8, steps: 30, slots }).segments)])
  expect(diffRecordings(a, b).notes).toEqual([expect.stringMatching(/settings were .*"slots":20.* and .*"slots":21/)])
})
