/**
 * A short soak of hostile ring entries (npm run soak:hostile has the long one): every ABI, every end, alone and with a
 * second thread that writes into what is read.
 */
import { owned } from '../../src/io/native/owners.js'
import { abiLayout } from '../../src/protocol/abi.js'
import { UNIQUE } from '../soak/hostile/entries.js'
import { PROTOCOLS, playLife } from '../soak/hostile/life.js'
import { Witness } from '../soak/hostile/witness.js'

const LIVES = PROTOCOLS.flatMap((protocol, index) => (['lie', 'drain', 'abandon'] as const).map(
  (ending, other) => ({ protocol, ending, scribbled: (index + other) % 2 === 1, seed: 10 * index + other }),
))

test.each(LIVES)('$protocol, it ends with $ending, scribbled: $scribbled', async (life) => {
  const before = owned().length
  const { faults, taken, okay, error, unsupported, abandoned } = await playLife({ ...life, entries: 8000 })
  expect(faults).toEqual([])
  expect(taken).toBe(okay + error + unsupported + abandoned)
  expect(Math.min(okay, error, unsupported)).toBeGreaterThan(0)
  expect(owned()).toHaveLength(before)
})

test('the witness is no friend: what is answered twice or never, or reaches beyond, is a fault', () => {
  const layout = abiLayout('x86_64')
  const entries = new Int32Array(2 * layout.entryWords)
  entries.set([0x0100, 0, 7, UNIQUE, 0, 0, 3, 0x0700])
  const ring = {
    size: 32, entries, entryWords: layout.entryWords, reqProd: 0, take: () => 1, peek: () => 0, answer: () => false,
    arm: () => false, published: () => 0, close: () => undefined,
  }
  const witness = new Witness(layout, { arenaBytes: 4096, imageBytes: 8192 })
  const watched = witness.ring(ring)
  const copier = witness.grants({ copy: () => 0, close: () => undefined }, new Int32Array(1024))
  const copies = (gref: number, offset: number) => Int32Array.of(gref, offset | (512 << 16), 0, 1)
  watched.take(0, 0, 1)
  copier.copy(copies(3, 0), 1)
  watched.answer(Int32Array.of(7, UNIQUE, 0, 0), 1, 0)
  expect(witness.faults).toEqual([])
  copier.copy(copies(3, 0), 1)
  copier.copy(copies(600, 4000), 1)
  watched.answer(Int32Array.of(7, UNIQUE, 0, -9), 1, 1)
  const disk = { submit: () => 1, reap: () => 0, inFlight: 0, onReady: () => undefined, arm: () => false, close: () => undefined }
  witness.medium(disk).submit(Int32Array.of(0, 1, 4000, 512, 8192, 0, 0, 0), 1)
  watched.take(1, 1, 1)
  witness.ended(0)
  expect(witness.faults).toEqual([
    'a copy with reference 3, which no request at work has named', 'a copy of 4000+512 in a page',
    `7:${UNIQUE} was answered and never taken`, 'status -9', 'I/O 0 of 512 at 8192', 'a buffer of 512 at 4000',
  ])
  const forgetful = new Witness(layout, { arenaBytes: 4096, imageBytes: 8192 })
  forgetful.ring(ring).take(0, 0, 1)
  forgetful.ended(0)
  expect(forgetful.faults).toEqual(['1 requests were never answered, 0 count as abandoned'])
})
