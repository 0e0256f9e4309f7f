/**
 * @packageDocumentation
 * `npm run soak:hostile [-- --entries N --seed N --json]`: so many hostile ring entries (100 million) over the three
 * ABIs, through ring and grant copier of the addon, plane, core and journal, life after life (hostile/life.ts). Every
 * second life has a second thread that writes into ring and descriptors while they are read.
 *
 * A line at each tenth says what became of them, how fast, and how much memory the process has. Ends with 1 when
 * anything was answered twice or never, reached beyond image, arena or grants, or when memory grew.
 */
import { parseArgs } from 'node:util'
import { PROTOCOLS, playLife } from './hostile/life.js'
import type { Ending, LifeReport } from './hostile/life.js'

const ENDINGS: readonly Ending[] = ['lie', 'drain', 'abandon']
const ENTRIES_PER_LIFE = 250_000
/** Memory may be so much more at the end than after the third tenth, when the collector has found its pace. */
const GROWTH_BYTES_MAX = 48 << 20
const FAULTS_SHOWN = 20

const { values } = parseArgs({
  options: { entries: { type: 'string' }, seed: { type: 'string' }, json: { type: 'boolean', default: false } },
})
const wanted = Number(values.entries ?? 100_000_000)
const seed = Number(values.seed ?? 1)
if (!(wanted > 0) || !Number.isInteger(seed)) throw new Error('--entries takes a number above 0, --seed a whole one')

const total = { entries: 0, okay: 0, error: 0, unsupported: 0, abandoned: 0, lives: 0 }
const perAbi: Record<string, number> = {}
const tenths: { entries: number; seconds: number; rssBytes: number }[] = []
const faults: string[] = []
const began = performance.now()

function note(life: LifeReport, protocol: string, lifeSeed: number): void {
  total.entries += life.taken
  total.okay += life.okay
  total.error += life.error
  total.unsupported += life.unsupported
  total.abandoned += life.abandoned
  total.lives++
  perAbi[protocol] = (perAbi[protocol] ?? 0) + life.taken
  for (const fault of life.faults) if (faults.length < FAULTS_SHOWN) faults.push(`life ${lifeSeed} (${protocol}): ${fault}`)
}

function tenth(): void {
  const seconds = (performance.now() - began) / 1000
  const rssBytes = process.memoryUsage.rss()
  tenths.push({ entries: total.entries, seconds, rssBytes })
  if (values.json) return
  const shares = `${total.okay} okay, ${total.error} error, ${total.unsupported} unsupported, ${total.abandoned} abandoned`
  const rate = (total.entries / seconds / 1e6).toFixed(2)
  process.stdout.write(`${total.entries} entries in ${total.lives} lives: ${shares} · ${rate} M/s · ${(rssBytes / 2 ** 20).toFixed(0)} MiB\n`)
}

for (let number = 0; total.entries < wanted; number++) {
  const protocol = PROTOCOLS[number % PROTOCOLS.length]
  const ending = ENDINGS[Math.floor(number / 3) % ENDINGS.length]
  const entries = Math.min(ENTRIES_PER_LIFE, Math.ceil(wanted / 20), wanted - total.entries)
  const lifeSeed = seed * 1_000_003 + number
  note(await playLife({ seed: lifeSeed, protocol, entries, ending, scribbled: number % 2 === 1 }), protocol, lifeSeed)
  while (total.entries >= (wanted * (tenths.length + 1)) / 10 && tenths.length < 10) tenth()
}

const growth = tenths[9].rssBytes - tenths[2].rssBytes
if (growth > GROWTH_BYTES_MAX) faults.push(`resident memory grew by ${(growth / 2 ** 20).toFixed(0)} MiB from the third tenth to the last`)
if (values.json) process.stdout.write(`${JSON.stringify({ seed, ...total, perAbi, tenths, faults })}\n`)
else {
  const abis = Object.entries(perAbi).map(([abi, count]) => `${abi} ${count}`).join(', ')
  process.stdout.write(`${abis}\n${faults.length === 0 ? 'nothing was wrong' : faults.join('\n')}\n`)
}
process.exit(faults.length === 0 ? 0 : 1)
