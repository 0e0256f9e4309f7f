/**
 * A short run of each fuzzer of a parser (npm run fuzz has the long one) over its kept corpus; and the fuzzer itself: it
 * finds what is planted, because it sees which input reached more than others.
 */
import { readCorpus } from '../fuzz/corpus.js'
import { fuzz } from '../fuzz/fuzzer.js'
import { planted } from '../fuzz/planted.js'
import { TARGETS } from '../fuzz/targets.js'

const RUNS = 600

test.each(TARGETS.map((target) => [target.name, target] as const))('%s: nothing is found', (name, target) => {
  const corpus = readCorpus(name)
  const { found, runs, functions } = fuzz(target, { seed: 1, corpus, until: (done) => done > RUNS })
  expect(found?.error).toBeUndefined()
  expect([runs > RUNS, functions > 0]).toEqual([true, true])
})

test('it comes through a door of four locks, one byte each, which chance alone does not', () => {
  const target = { name: 'planted', watched: /fuzz\/planted\.js$/, seeds: () => [Buffer.from('....')], run: planted, most: 8 }
  const { found, runs } = fuzz(target, { seed: 2, corpus: [], until: (done) => done > 400_000 })
  expect(Buffer.from(found?.input ?? []).toString('latin1')).toMatch(/^XBBD/)
  expect(runs).toBeLessThan(400_000)
})
