/**
 * @packageDocumentation
 * Sends a recorded guest's requests at a fresh back end: a host and a daemon of its own (as the demo has them), this
 * process as the guest, an empty image as the disk.
 *
 *   journal ─ redrivePlan ─► put, await ─► RedriveFront ─ ring ─ daemon ─► IMAGE         answers beside the recorded
 *
 * It waits for answers as long as they take. What the back end answers otherwise than it did is a finding.
 */
import { pagesOfSlot } from '../../embedded/blkfront/slots.js'
import { RedriveFront } from '../../embedded/redrive-front.js'
import type { RedriveAnswer } from '../../embedded/redrive-front.js'
import { GuestDomain } from '../../embedded/guest/guest-domain.js'
import { systemClock } from '../../io/native/system-clock.js'
import type { JournalChain } from '../../journal/chain.js'
import { redrivePlan } from '../../journal/redrive-plan.js'
import type { PlannedRequest, RedriveStep } from '../../journal/redrive-plan.js'
import type { ControlClient } from '../control/client.js'
import { BLKIF_MAX_SEGMENTS_PER_REQUEST } from '../../protocol/blkif.js'
import type { Stage } from '../demo/stage.js'

const DEVID = 51712
const VDEV = 'xvda'
/** Findings that are kept word for word. */
const FINDINGS_MAX = 20
const RING_PAGES_MAX = 16
const ENTRIES_PER_PAGE = 32

export interface RedriveReport {
  readonly requests: number
  readonly answers: number
  /** Answers with another status than in the recording, and what was damaged in it. */
  readonly findings: readonly string[]
  readonly findingCount: number
  /** The recording begins with the queue's first batch: everything that was ever written is in it. */
  readonly complete: boolean
}

export interface DriveOptions {
  readonly chains: readonly JournalChain[]
  readonly image: string
  readonly readOnly: boolean
  /** Slots of the recorded queue. */
  readonly slots: number
  /** Most segments of one request that the recorded front end was offered. */
  readonly segments: number
  readonly stage: Stage
  readonly control: ControlClient
  readonly onProgress: (requests: number) => void
}

/** Drives from first to last request, and closes. */
export async function drive(options: DriveOptions): Promise<RedriveReport> {
  const { chains, image, readOnly, slots, segments, stage, control, onProgress } = options
  const ringPages = ringPagesFor(slots)
  const entries = ringPages * ENTRIES_PER_PAGE
  const pages = ringPages + entries * pagesOfSlot(Math.max(segments, BLKIF_MAX_SEGMENTS_PER_REQUEST)) + 64
  const guest = await GuestDomain.create({ dir: stage.hostDir, name: 'redrive', pages, grantEntries: pages + 512 })
  try {
    const { domid } = guest
    await control.call('attach', { domid, vdev: VDEV, target: image, mode: readOnly ? 'r' : 'w' })
    const store = await guest.connectXenStore()
    const frontend = guest.vbdPath(DEVID)
    const front = await RedriveFront.connect({ guest, store, frontend, clock: systemClock, ringPages, segments })
    const driver = new Driver(front, onProgress)
    for (const step of redrivePlan(chains, (sentence) => driver.find(sentence))) await driver.take(step)
    await front.close()
    store.close()
    await control.call('detach', { domid, vdev: VDEV })
    return { ...driver.report(), complete: chains[0].segments[0].header.firstBatch === 0 }
  } finally {
    guest.close()
  }
}

/** The smallest ring that holds so many requests. */
function ringPagesFor(slots: number): number {
  let pages = 1
  while (pages < RING_PAGES_MAX && pages * ENTRIES_PER_PAGE < slots) pages *= 2
  return pages
}

class Driver {
  private readonly front: RedriveFront
  private readonly onProgress: (requests: number) => void
  private readonly findings: string[] = []
  private findingCount = 0
  private requests = 0
  private answers = 0
  /** Put and not answered. */
  private readonly open = new Set<number>()
  /** Answered before the recording said so: their statuses, until it does. */
  private readonly early = new Map<number, number>()
  /** Recorded statuses of requests whose answer has not come yet. */
  private readonly due = new Map<number, number>()

  constructor(front: RedriveFront, onProgress: (requests: number) => void) {
    this.front = front
    this.onProgress = onProgress
  }

  async take(step: RedriveStep): Promise<void> {
    if (step.kind === 'put') {
      for (const request of step.requests) await this.put(request)
      this.front.publish()
      this.onProgress(this.requests)
    } else if (step.kind === 'rest') await this.until(() => this.open.size === 0)
    else {
      for (const { number, status } of step.answers) this.expect(number, status)
      await this.until(() => this.due.size === 0)
    }
  }

  find(sentence: string): void {
    if (this.findingCount++ < FINDINGS_MAX) this.findings.push(sentence)
  }

  report(): Omit<RedriveReport, 'complete'> {
    const { requests, answers, findings, findingCount } = this
    return { requests, answers, findings, findingCount }
  }

  /** More than fit in the ring come here only from a recording whose requests were abandoned. */
  private async put(request: PlannedRequest): Promise<void> {
    if (!this.front.room) {
      this.front.publish()
      await this.until(() => this.front.room)
    }
    this.open.add(request.number)
    this.requests++
    this.front.put(request)
  }

  private expect(number: number, status: number): void {
    const came = this.early.get(number)
    if (came !== undefined) {
      this.early.delete(number)
      this.compare(number, status, came)
    } else if (this.open.has(number)) this.due.set(number, status)
  }

  private answered({ number, status }: RedriveAnswer): void {
    this.answers++
    this.open.delete(number)
    const recorded = this.due.get(number)
    if (recorded === undefined) return void this.early.set(number, status)
    this.due.delete(number)
    this.compare(number, recorded, status)
  }

  private compare(number: number, recorded: number, came: number): void {
    if (recorded !== came) this.find(`request ${number} was answered ${recorded} in the recording, ${came} now`)
  }

  private async until(done: () => boolean): Promise<void> {
    for (;;) {
      for (const answer of this.front.answers()) this.answered(answer)
      if (done()) return
      await this.front.stir()
    }
  }
}

