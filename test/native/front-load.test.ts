/**
 * @packageDocumentation
 * The loading front end: what it puts is what its plan says, what it counts is what it was answered, and what fits no
 * request is noticed. Its figures are only as good as these.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EchoStep, FrontLoad, threadCpuNs } from '../../src/embedded/front-load.js'
import type { LoadPlan } from '../../src/embedded/front-load.js'
import { EmbeddedHostClient } from '../../src/embedded/host-client.js'
import { runHost } from '../../src/embedded/host/main.js'
import type { RunningHost } from '../../src/embedded/host/main.js'
import { NativeBackRing } from '../../src/io/native/ring.js'
import type { RingPlan } from '../../src/ports/host.js'
import { abiLayout } from '../../src/protocol/abi.js'
import { BLKIF_OP_DISCARD, BLKIF_OP_READ } from '../../src/protocol/blkif.js'
import { canonicalise, decodeCanonical } from '../../src/protocol/entry.js'
import { descriptorGref, indirectSegments } from '../../src/protocol/indirect.js'

const READS: LoadPlan = { depth: 4, op: BLKIF_OP_READ, segments: 2, sectors: 1600, random: true, seed: 7 }

let dir: string
let host: RunningHost
let client: EmbeddedHostClient
let front: FrontLoad
let plan: RingPlan

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'xbbd-load-'))
  host = await runHost({ dir })
  client = EmbeddedHostClient.connect(dir)
  front = await FrontLoad.create({ dir, ringPages: 1, depth: 4, segments: 2 })
  const mapped = await client.mapRing({ domid: front.address.domid, grefs: front.address.grefs, abi: 'x86_64' })
  if (!mapped.ok) throw new Error(mapped.sentence)
  plan = mapped.plan
})

afterEach(async () => {
  await client.unmapRing(plan)
  front.close()
  await client.close()
  await host.close()
  rmSync(dir, { recursive: true })
})

/** Answers all that waits with `status`; `id` in place of each request's own. @returns the requests. */
function serve(ring: NativeBackRing, cons: number, status: number, id?: number) {
  const layout = abiLayout('x86_64')
  const count = ring.take(cons, cons, ring.size)
  const words = new Int32Array(28)
  const answers = new Int32Array(count * 4)
  const requests = Array.from({ length: count }, (_, index) => {
    canonicalise(ring.entries, index * ring.entryWords, layout, words, 0, 0)
    const request = decodeCanonical(words, 0)
    answers.set([id ?? request.idLow, 0, request.op, status], index * 4)
    return request
  })
  ring.answer(answers, count, cons)
  return requests
}

test('with more segments than an entry holds, they stand in the page of descriptors that it names', async () => {
  const long = await FrontLoad.create({ dir, ringPages: 1, depth: 3, segments: 40 })
  const mapped = await client.mapRing({ domid: long.address.domid, grefs: long.address.grefs, abi: 'x86_64' })
  if (!mapped.ok) throw new Error(mapped.sentence)
  const ring = new NativeBackRing(mapped.plan.ringHandle, 1, 'x86_64')
  long.plan({ ...READS, depth: 3, segments: 40 })
  long.step(true)
  expect(ring.take(0, 0, ring.size)).toBe(3)
  const grefs = [0, 1, 2].map((index) => descriptorGref(ring.entries, index * ring.entryWords, abiLayout('x86_64'), 0))
  expect(new Set(grefs).size).toBe(3)
  for (let index = 0; index < 3; index++) expect(indirectSegments(ring.entries, index * ring.entryWords, 40)).toBe(40)
  // What it grants as its first page of data comes behind its ring; descriptors come last.
  const first = long.address.grefs[0] + 1
  expect([...grefs].sort((one, other) => one - other)).toEqual([0, 1, 2].map((slot) => first + 3 * 40 + slot))
  ring.answer(Int32Array.from([0, 1, 2].flatMap((id) => [id, 0, BLKIF_OP_READ, 0])), 3, 0)
  expect(long.step(false)).toBe(3)
  ring.close()
  await client.unmapRing(mapped.plan)
  long.close()
})

test('every slot of the plan is in flight, with its own grants, sectors on the disk and whole pages', () => {
  const ring = new NativeBackRing(plan.ringHandle, 1, 'x86_64')
  front.plan(READS)
  front.step(true)
  const requests = serve(ring, 0, 0)
  expect(requests.map(({ idLow }) => idLow)).toEqual([0, 1, 2, 3])
  expect(new Set(requests.flatMap(({ segments }) => segments.map(({ gref }) => gref))).size).toBe(8)
  for (const { op, sectorLow, segments } of requests) {
    expect(op).toBe(BLKIF_OP_READ)
    expect(sectorLow % 16).toBe(0)
    expect(sectorLow).toBeLessThanOrEqual(1600 - 16)
    expect(segments.map(({ firstSect, lastSect }) => [firstSect, lastSect])).toEqual([[0, 7], [0, 7]])
  }
  expect(front.step(true)).toBe(4)
  expect(serve(ring, 4, 0)).toHaveLength(4)
  expect(front.step(false)).toBe(4)
  ring.close()
})

test('a discard has its length and no segments, one after the other', () => {
  const ring = new NativeBackRing(plan.ringHandle, 1, 'x86_64')
  front.plan({ ...READS, op: BLKIF_OP_DISCARD, segments: 0, random: false })
  front.step(true)
  const requests = serve(ring, 0, 0)
  expect(requests.map(({ nrSectorsLow }) => nrSectorsLow)).toEqual([8, 8, 8, 8])
  expect(requests.map(({ sectorLow }) => sectorLow)).toEqual([8, 16, 24, 32])
  expect(front.step(false)).toBe(4)
  ring.close()
})

test('errors and answers that fit no request are not taken for good ones', () => {
  const ring = new NativeBackRing(plan.ringHandle, 1, 'x86_64')
  front.plan(READS)
  front.step(true)
  serve(ring, 0, -1)
  expect(front.step(true)).toBe(-1)
  front.plan({ ...READS, depth: 1 })
  front.step(true)
  serve(ring, 4, 0, 99)
  expect(front.step(true)).toBe(-1)
  ring.close()
})

test('a run ends after so many requests, all of them answered, with its times', () => {
  const echo = new EchoStep(plan.ringHandle, 1)
  front.plan(READS)
  const before = threadCpuNs()
  front.step(true)
  let answered = 0
  while (answered < 1000) {
    expect(echo.answer()).toBe(4)
    answered += front.step(answered + 4 < 1000)
  }
  expect(answered).toBe(1000)
  expect(threadCpuNs()).toBeGreaterThan(before)
  echo.close()
})

test('what does not fit is refused before anything is touched', () => {
  expect(() => front.plan({ ...READS, depth: 5 })).toThrow('does not fit')
  expect(() => front.plan({ ...READS, segments: 0 })).toThrow('does not fit')
  expect(() => front.plan({ ...READS, op: 9 })).toThrow('does not fit')
  expect(() => front.plan({ ...READS, sectors: 15 })).toThrow('does not fit')
  front.plan(READS)
  front.step(true)
  expect(() => front.plan(READS)).toThrow('in flight')
  const echo = new EchoStep(plan.ringHandle, 1)
  echo.answer()
  front.step(false)
  echo.close()
})
