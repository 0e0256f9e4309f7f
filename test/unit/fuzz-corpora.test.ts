/**
 * A short run of each fuzzer of a parser (npm run fuzz has the long one) over its kept corpus; and the fuzzer itself: it
 * finds what is planted, because it sees which input reached more than others.
 */
import { readCorpus } from '../fuzz/corpus.js'
import { fuzz } from '../fuzz/fuzzer.js'
import { planted } from '../fuzz/planted.js'
import { TARGETS } from '../fuzz/targets.js'

const RUNS = 1500
/** A run of it folds a whole journal. */
const JOURNAL_RUNS = 150

test.each(TARGETS.map((target) => [target.name, target] as const))('%s: nothing is found', (name, target) => {
  const most = name === 'journal' ? JOURNAL_RUNS : RUNS
  const corpus = readCorpus(name)
  const { found, runs, functions } = fuzz(target, { seed: 1, corpus, until: (done) => done > most })
  expect(found?.error).toBeUndefined()
  expect([runs > most, functions > 0]).toEqual([true, true])
})

test('it comes through a door of three locks, one byte each, which chance alone does not', () => {
  const target = { name: 'planted', watched: /fuzz\/planted\.js$/, seeds: () => [Buffer.from('...')], run: planted, most: 8 }
  const { found, runs } = fuzz(target, { seed: 2, corpus: [], until: (done) => done > 200_000 })
  expect(Buffer.from(found?.input ?? []).toString('latin1')).toMatch(/^XBD/)
  expect(runs).toBeLessThan(200_000)
})
