/**
 * @packageDocumentation
 * Bench (a'): the plane's own cost per request, without waiting: see lockstep-worker.ts. One processor is enough and
 * neighbours do not matter, so this is where differences of a few nanoseconds (a journal, a faster check sum) show.
 */
import { Worker } from 'node:worker_threads'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runHost } from '../src/embedded/host/main.js'
import type { LockstepData, LockstepResult } from './lockstep-worker.js'
import { median } from './median.js'
import type { Pace } from './pace.js'
import { planOf, ringPagesFor } from './plane.js'
import type { PlaneLoad } from './plane.js'

export interface LockstepRow {
  readonly load: PlaneLoad
  readonly depth: number
  readonly journal: 'inputs' | 'off'
  /** Thread CPU per request, the front end's subtracted. */
  readonly planeNs: number
  /** That of front end and echo. */
  readonly frontNs: number
}

export async function benchLockstep(
  load: PlaneLoad, depth: number, journal: 'inputs' | 'off', pace: Pace,
): Promise<LockstepRow> {
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-bench-'))
  const journalDir = mkdtempSync('/dev/shm/xbbd-bench-')
  const host = await runHost({ dir })
  try {
    const results: LockstepResult[] = []
    const requests = (pace.quick ? 1 : 3) * (load === 'a11' ? 300_000 : 1_000_000)
    const plan = planOf(load, depth)
    for (let round = 0; round < pace.rounds; round++)
      results.push(await run({ dir, journalDir, plan, journal, ringPages: ringPagesFor(depth), warmUp: 300_000, requests }))
    return {
      load, depth, journal,
      planeNs: median(results.map(({ planeNs }) => planeNs)),
      frontNs: median(results.map(({ frontNs }) => frontNs)),
    }
  } finally {
    await host.close()
    rmSync(dir, { recursive: true })
    rmSync(journalDir, { recursive: true })
  }
}

function run(workerData: LockstepData): Promise<LockstepResult> {
  const worker = new Worker(new URL('./lockstep-worker.js', import.meta.url), { workerData })
  return new Promise((resolve, reject) => {
    worker.once('message', resolve)
    worker.once('error', reject)
    worker.once('exit', () => reject(new Error('the measuring thread ended without a result')))
  })
}
