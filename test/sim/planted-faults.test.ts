/**
 * The simulator finds what it is for: each of some fifty faults, planted in core, charts, journal, recovery and shell,
 * within 200 seeds, by plans that nobody chose for it. The seeds are printed.
 */
import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import { SLIPS } from '../support/planted-slips.js'
import { SEEDS } from '../support/planted-thread.js'
import type { FirstSeed } from '../support/planted-thread.js'

const found: string[] = []
let thread: Worker

beforeAll(() => {
  thread = new Worker(new URL('../support/planted-thread.js', import.meta.url))
})

afterAll(async () => {
  await thread.terminate()
  process.stderr.write(`seed  part      fault (law broken first)\n${found.join('\n')}\n`)
})

test.each(SLIPS.map((slip, index) => ({ ...slip, index })))('$area: $title', async ({ area, title, index }) => {
  const answer = once(thread, 'message') as Promise<[FirstSeed | undefined]>
  thread.postMessage(index)
  const [first] = await answer
  found.push(`${String(first?.seed ?? 'none').padStart(4)}  ${area.padEnd(8)}  ${title} (${first?.law})`)
  expect(first?.seed).toBeLessThanOrEqual(SEEDS)
})

test('there are faults enough in each part', () => {
  for (const area of ['core', 'charts', 'journal', 'recovery'] as const)
    expect(SLIPS.filter((slip) => slip.area === area).length).toBeGreaterThanOrEqual(5)
  expect(SLIPS.length).toBeGreaterThanOrEqual(40)
})
