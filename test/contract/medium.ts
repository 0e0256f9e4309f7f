/**
 * @packageDocumentation
 * The contract that every medium keeps, whatever stands behind it: a file, a block device, memory, nothing, with or
 * without layers. Each test opens the medium anew, zeroed.
 */
import fc from 'fast-check'
import { IO_DISCARD, IO_READ, IO_SECURE_DISCARD, IO_SYNC, IO_WRITE, IO_WRITE_ZEROES } from '../../src/ports/data-path.js'
import { codeOf } from '../../src/protocol/errors.js'
import { testWith } from '../support/clients.js'
import { MediumDriver } from './medium-driver.js'
import type { MediumUnderTest, TestRequest } from './medium-driver.js'

const EFAULT = 14
const EINVAL = 22
const EROFS = 30
const EOPNOTSUPP = 95

/** Sectors of the medium and bytes of the arena that `open` must give. */
export const CONTRACT_SECTORS = 4096
export const CONTRACT_ARENA = 1 << 20

export interface ContractRules {
  /** False for the null medium: reads are zeroes, whatever was written. */
  readonly keepsData?: boolean
  /** Discarded ranges read as zeroes; otherwise as anything. */
  readonly zeroesAfterDiscard?: boolean
  /** Requests are made of so many sectors and begin at a multiple of them; 8 unless the medium takes less. */
  readonly unit?: number
  /** A discard gives up whole ones of so many sectors only. */
  readonly discardUnit?: number
  /** Programs without which it cannot be judged. */
  readonly needs?: readonly string[]
}

type Open = (options: { readOnly: boolean }) => MediumUnderTest | Promise<MediumUnderTest>

/** Runs `body` over a medium that is closed afterwards, also when the test fails. */
async function withMedium(open: Open, readOnly: boolean, body: (driver: MediumDriver) => Promise<void>) {
  const driver = new MediumDriver(await open({ readOnly }))
  try {
    await body(driver)
    driver.close()
  } catch (error) {
    driver.medium.dispose()
    throw error
  }
}

export function mediumContract(name: string, open: Open, rules: ContractRules = {}): void {
  const { keepsData = true, needs = [] } = rules
  const use = (body: (driver: MediumDriver) => Promise<void>) => () => withMedium(open, false, body)

  describe(`medium contract: ${name}`, () => {
    testWith(needs, 'a read fills its buffer, and nothing beside it', use((driver) => readFills(driver, keepsData)))
    testWith(needs, 'any mix of requests, many in flight, agrees with a model', () => agreesWithModel(open, rules), 120_000)
    testWith(needs, 'a request that is out of range, misaligned, empty or unknown is refused untouched', use(refusesNonsense))
    testWith(needs, 'XSA-229: a buffer outside the arena is refused', use(refusesForeignBuffers))
    testWith(needs, 'XSA-142: a read-only medium refuses every change and still reads', () => withMedium(open, true, refusesChanges))
    testWith(needs, 'S16: a secure discard leaves zeroes where it was promised, and is refused elsewhere', use(discardsSecurely))
    testWith(needs, 'more than fits is taken in part, and every request ends exactly once', use(takesInPart))
    testWith(needs, 'arm and onReady lose no wake-up', use(losesNoWakeUp))
    testWith(needs, 'it is not closed while requests are in flight', use(refusesToClose))
  })
}

async function readFills(driver: MediumDriver, keepsData: boolean): Promise<void> {
  driver.bytes.fill(0x5a)
  for (let index = 0; index < 4096; index++) driver.bytes[index] = (index * 7) & 0xff
  expect(await driver.run([{ op: IO_WRITE, at: 0, length: 4096, offset: 512 }])).toEqual([4096])
  expect(await driver.run([{ op: IO_SYNC }])).toEqual([0])
  expect(await driver.run([{ op: IO_READ, at: 8192, length: 4096, offset: 512 }])).toEqual([4096])
  const expected = keepsData ? driver.bytes.slice(0, 4096) : new Uint8Array(4096)
  expect(Buffer.compare(driver.bytes.slice(8192, 12288), expected)).toBe(0)
  expect(new Set(driver.bytes.subarray(4096, 8192))).toEqual(new Set([0x5a]))
  expect(new Set(driver.bytes.subarray(12288))).toEqual(new Set([0x5a]))
}

interface ModelStep {
  readonly op: number
  readonly sector: number
  readonly sectors: number
  readonly fill: number
}

const SLOT = 32768
/** Small units lie in one corner of the medium, where they are neighbours. */
const modelRun = (unit: number) => {
  const step = fc.record({
    op: fc.constantFrom(IO_READ, IO_WRITE, IO_WRITE, IO_SYNC, IO_DISCARD, IO_WRITE_ZEROES),
    sector: fc.nat({ max: CONTRACT_SECTORS / 8 - 1 }).map((place) => place * unit),
    sectors: fc.integer({ min: 1, max: SLOT / 4096 }).map((units) => units * unit),
    fill: fc.integer({ min: 1, max: 255 }),
  })
  return fc.array(fc.array(step, { minLength: 1, maxLength: 32 }), { minLength: 1, maxLength: 12 })
}

/** What the medium must hold by now; sectors that may hold anything are not `known`. */
class Model {
  readonly bytes = new Uint8Array(CONTRACT_SECTORS * 512)
  readonly known = new Uint8Array(CONTRACT_SECTORS).fill(1)

  apply(step: ModelStep, rules: ContractRules): void {
    const { sector, sectors } = step
    const [from, to] = [sector * 512, (sector + sectors) * 512]
    if (step.op === IO_WRITE && rules.keepsData !== false) {
      for (let at = from; at < to; at++) this.bytes[at] = step.fill ^ ((at >>> 9) & 0xff)
    }
    if (step.op === IO_DISCARD) return this.discard(sector, sectors, rules)
    if (step.op === IO_WRITE_ZEROES) this.bytes.fill(0, from, to)
    if (step.op === IO_WRITE || step.op === IO_WRITE_ZEROES) this.known.fill(1, sector, sector + sectors)
  }

  private discard(sector: number, sectors: number, { zeroesAfterDiscard, discardUnit = 1 }: ContractRules): void {
    const from = Math.ceil(sector / discardUnit) * discardUnit
    const to = Math.max(from, Math.floor((sector + sectors) / discardUnit) * discardUnit)
    this.bytes.fill(0, from * 512, to * 512)
    if (zeroesAfterDiscard === false) this.known.fill(0, from, to)
  }
}

/** Requests of one batch run at the same time, in any order: those that overlap an earlier one are left out. */
function disjoint(batch: readonly ModelStep[]): ModelStep[] {
  const kept: ModelStep[] = []
  for (const step of batch) {
    const end = step.sector + step.sectors
    if (end > CONTRACT_SECTORS) continue
    if (kept.every((other) => end <= other.sector || other.sector + other.sectors <= step.sector)) kept.push(step)
  }
  return kept
}

function agreesWithModel(open: Open, rules: ContractRules): Promise<void> {
  const property = fc.asyncProperty(modelRun(rules.unit ?? 8), (batches) =>
    withMedium(open, false, async (driver) => {
      const model = new Model()
      for (const batch of batches) await compareBatch(driver, model, disjoint(batch), rules)
    }),
  )
  return fc.assert(property, { numRuns: 12 })
}

async function compareBatch(driver: MediumDriver, model: Model, steps: readonly ModelStep[], rules: ContractRules) {
  const requests = steps.map((step, slot): TestRequest => {
    const [at, length] = [slot * SLOT, step.sectors * 512]
    if (step.op === IO_READ) driver.bytes.fill(0xa5, at, at + length)
    if (step.op === IO_WRITE) {
      for (let byte = 0; byte < length; byte++) {
        driver.bytes[at + byte] = step.fill ^ ((step.sector + (byte >>> 9)) & 0xff)
      }
    }
    return { op: step.op, at, length, offset: step.sector * 512 }
  })
  const results = await driver.run(requests)
  steps.forEach((step, slot) => {
    const moved = step.op === IO_READ || step.op === IO_WRITE ? step.sectors * 512 : 0
    const refused = step.op === IO_DISCARD && !driver.medium.geometry.canDiscard
    expect(results[slot]).toBe(refused ? -EOPNOTSUPP : moved)
    if (!refused) model.apply(step, rules)
    if (step.op !== IO_READ) return
    for (let sector = 0; sector < step.sectors; sector++) {
      if (!model.known[step.sector + sector]) continue
      const at = slot * SLOT + sector * 512
      const offset = (step.sector + sector) * 512
      const same = Buffer.compare(driver.bytes.subarray(at, at + 512), model.bytes.subarray(offset, offset + 512))
      if (same !== 0) throw new Error(`sector ${step.sector + sector} differs from the model`)
    }
  })
}

async function refusesNonsense(driver: MediumDriver): Promise<void> {
  const end = driver.medium.geometry.sectorCount * 512
  driver.bytes.fill(0x77)
  await driver.run([{ op: IO_WRITE, at: 0, length: 4096, offset: end - 4096 }])
  const nonsense: TestRequest[] = [
    { op: IO_READ, at: 4096, length: 4096, offset: end },
    { op: IO_WRITE, at: 4096, length: 8192, offset: end - 4096 },
    { op: IO_READ, at: 4096, length: 4096, offset: 2 ** 52 },
    { op: IO_DISCARD, length: 8192, offset: end - 4096 },
    { op: IO_WRITE_ZEROES, length: 8192, offset: end - 4096 },
    { op: IO_WRITE_ZEROES, length: 4096, offset: 2 ** 63 },
    { op: IO_DISCARD, length: 2 ** 32, offset: 0 },
    { op: IO_DISCARD, length: 2 ** 52, offset: end - 4096 },
    { op: IO_READ, at: 4096, length: 2 ** 32 + 4096, offset: 0 },
    { op: IO_READ, at: 4096, length: 0, offset: 0 },
    { op: IO_READ, at: 4096, length: 100, offset: 0 },
    { op: IO_WRITE, at: 4096, length: 4096, offset: 100 },
    { op: 6, at: 4096, length: 4096, offset: 0 },
    { op: -1, at: 4096, length: 4096, offset: 0 },
    { op: IO_READ, at: 4096, length: -4096, offset: 0 },
  ]
  expect(await driver.run(nonsense)).toEqual(nonsense.map(() => -EINVAL))
  expect(new Set(driver.bytes)).toEqual(new Set([0x77]))
}

async function refusesForeignBuffers(driver: MediumDriver): Promise<void> {
  const size = driver.bytes.length
  const foreign: TestRequest[] = [
    { op: IO_READ, at: size, length: 4096, offset: 0 },
    { op: IO_READ, at: size - 512, length: 4096, offset: 0 },
    { op: IO_WRITE, at: -4096, length: 4096, offset: 0 },
    { op: IO_READ, at: -512, length: 1024, offset: 0 },
  ]
  expect(await driver.run(foreign)).toEqual(foreign.map(() => -EFAULT))
}

async function refusesChanges(driver: MediumDriver): Promise<void> {
  const changes = [IO_WRITE, IO_DISCARD, IO_WRITE_ZEROES].map((op) => ({ op, at: 0, length: 4096, offset: 0 }))
  expect(await driver.run(changes)).toEqual([-EROFS, -EROFS, -EROFS])
  driver.bytes.fill(0xff, 0, 4096)
  expect(await driver.run([{ op: IO_READ, at: 0, length: 4096, offset: 0 }, { op: IO_SYNC }])).toEqual([4096, 0])
  expect(new Set(driver.bytes.subarray(0, 4096))).toEqual(new Set([0]))
}

async function discardsSecurely(driver: MediumDriver): Promise<void> {
  const discard = { op: IO_SECURE_DISCARD, length: 4096, offset: 8192 }
  if (!driver.medium.geometry.canSecureDiscard) {
    expect(await driver.run([discard])).toEqual([-EOPNOTSUPP])
    return
  }
  driver.bytes.fill(0x66)
  await driver.run([{ op: IO_WRITE, at: 0, length: 8192, offset: 8192 }])
  expect(await driver.run([discard])).toEqual([0])
  await driver.run([{ op: IO_READ, at: 0, length: 4096, offset: 8192 }])
  expect(new Set(driver.bytes.subarray(0, 4096))).toEqual(new Set([0]))
}

async function takesInPart(driver: MediumDriver): Promise<void> {
  const many = Array.from({ length: 5000 }, (_, index): TestRequest => {
    const slot = index % 256
    return { op: IO_READ, at: slot * 4096, length: 4096, offset: (index % 512) * 4096 }
  })
  const first = driver.offer(many)
  expect(first.taken).toBeGreaterThan(0)
  expect(first.taken).toBeLessThan(many.length)
  expect(driver.port.inFlight).toBe(first.taken)
  let ended = 0
  while (ended < first.taken) {
    const pairs = driver.reap(7)
    for (const [, result] of pairs) expect(result).toBe(4096)
    ended += pairs.length
    if (pairs.length === 0) await driver.ready()
  }
  expect(driver.reap()).toEqual([])
  expect(await driver.run(many.slice(first.taken))).toEqual(many.slice(first.taken).map(() => 4096))
}

async function losesNoWakeUp(driver: MediumDriver): Promise<void> {
  expect(driver.port.arm()).toBe(false)
  for (let round = 0; round < 300; round++) {
    const before = driver.wakes.count
    expect(driver.offer([{ op: IO_READ, at: 0, length: 4096, offset: 0 }]).taken).toBe(1)
    if (round % 3 === 0) await new Promise((resolve) => setImmediate(resolve))
    await driver.ready()
    expect(driver.wakes.count - before).toBeLessThanOrEqual(1)
    expect(driver.reap()).toHaveLength(1)
  }
}

async function refusesToClose(driver: MediumDriver): Promise<void> {
  expect(driver.offer([{ op: IO_READ, at: 0, length: 4096, offset: 0 }]).taken).toBe(1)
  let code: string | undefined
  try {
    driver.port.close()
  } catch (error) {
    code = codeOf(error)
  }
  expect(code).toBe('XBBD_ASSERTION')
  await driver.ready()
  expect(driver.reap()).toHaveLength(1)
}
