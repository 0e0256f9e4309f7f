/**
 * @packageDocumentation
 * Many seeds in many families on several threads. Every seed is played in every family, but for those whose worlds are
 * larger, which get one seed in so many; who is idle gets the next handful. It ends when all were played, when the time
 * is up, or when so much has failed that more tells nothing.
 *
 *   families × seeds ─ handfuls ─► thread 1 … n ─ sums, failures ─► CampaignReport
 */
import { Worker } from 'node:worker_threads'
import { addCounts } from '../../sim/family.js'
import type { Outcome } from '../../sim/family.js'
import type { SeedsMessage, SumMessage } from './messages.js'

export interface Campaign {
  /** Each with how many seeds it lets go by for one that it plays. */
  readonly families: readonly { readonly name: string; readonly every: number }[]
  readonly from: number
  /** Infinity: until the time is up. */
  readonly seeds: number
  readonly jobs: number
  /** Milliseconds after which no more is begun. */
  readonly limitMs?: number
  /** Hears how many runs are done, and how many have failed. */
  readonly onProgress?: (runs: number, failed: number) => void
}

export interface FamilySum {
  readonly family: string
  runs: number
  failed: number
  elapsedMs: number
  digest: bigint
  readonly counts: Record<string, number>
}

export interface CampaignReport {
  readonly sums: readonly FamilySum[]
  /** By family and seed. */
  readonly failures: readonly Outcome[]
  readonly elapsedMs: number
}

const HANDFUL = 8
/** Failures after which nothing more is begun. */
const FAILURES_MAX = 100

export async function runCampaign(campaign: Campaign): Promise<CampaignReport> {
  const began = performance.now()
  const tally = new Tally(campaign)
  const due = handfuls(campaign)
  const next = (): SeedsMessage | undefined => {
    const late = performance.now() - began > (campaign.limitMs ?? Infinity)
    return late || tally.failures.length >= FAILURES_MAX ? undefined : due.next().value
  }
  await Promise.all(Array.from({ length: campaign.jobs }, () => work(next, (sum) => tally.add(sum))))
  const failures = tally.failures.sort((a, b) => a.family.localeCompare(b.family) || a.seed - b.seed)
  return { sums: [...tally.sums.values()], failures, elapsedMs: performance.now() - began }
}

class Tally {
  readonly sums = new Map<string, FamilySum>()
  readonly failures: Outcome[] = []
  private readonly campaign: Campaign
  private runs = 0

  constructor(campaign: Campaign) {
    this.campaign = campaign
    for (const { name: family } of campaign.families)
      this.sums.set(family, { family, runs: 0, failed: 0, elapsedMs: 0, digest: 0n, counts: {} })
  }

  add({ family, runs, elapsedMs, digest, counts, failures }: SumMessage): void {
    const sum = this.sums.get(family)
    if (!sum) return
    sum.runs += runs
    sum.failed += failures.length
    sum.elapsedMs += elapsedMs
    sum.digest = BigInt.asUintN(64, sum.digest + digest)
    addCounts(sum.counts, { entries: 0, hostile: 0, answers: 0, kills: 0, ...counts })
    this.failures.push(...failures)
    this.runs += runs
    this.campaign.onProgress?.(this.runs, this.failures.length)
  }
}

/** Families take turns, so that each has had its share whenever it ends. */
function* handfuls({ families, from, seeds }: Campaign): Generator<SeedsMessage, undefined> {
  for (let done = 0; done < seeds; done += HANDFUL)
    for (const { name: family, every } of families)
      yield { family, every, from: from + done, count: Math.min(HANDFUL, seeds - done) }
  return undefined
}

/** One thread, until nothing is due. What breaks the thread itself breaks the campaign. */
function work(next: () => SeedsMessage | undefined, done: (sum: SumMessage) => void): Promise<void> {
  const thread = new Worker(new URL('./thread-main.js', import.meta.url))
  return new Promise<void>((resolve, reject) => {
    const send = () => {
      const message = next()
      if (message) thread.postMessage(message)
      else void thread.terminate().then(() => resolve())
    }
    thread.on('error', reject)
    thread.on('message', (sum: SumMessage) => {
      done(sum)
      send()
    })
    send()
  })
}
