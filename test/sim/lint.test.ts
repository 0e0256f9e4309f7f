/**
 * The linter against front ends that are bad on purpose, one for each rule that a queue's journal can judge: exactly that
 * finding and no other. And against honest ones: nothing.
 */
import { chainsOf } from '../../src/journal/chain.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { lintChains } from '../../src/lint/lint.js'
import type { LintReport } from '../../src/lint/lint.js'
import { rules } from '../../src/lint/rules/index.js'
import { parseScript } from '../../src/script/parse.js'
import { runScript } from '../../src/script/run.js'
import { SimScriptPort } from '../../src/sim/script-port.js'
import { BAD_HANDSHAKES, BAD_REQUESTS } from '../support/bad-fronts.js'
import { runWorld } from '../../src/sim/run-world.js'

const lintSegments = (segments: readonly Int32Array[]): LintReport => lintChains(chainsOf(segmentsInMemory(segments)))

async function lintScript(text: string): Promise<LintReport> {
  const port = new SimScriptPort()
  const { failure } = await runScript(parseScript(`${text}\n`), port)
  expect(failure).toBeUndefined()
  return lintSegments(port.world.segments)
}

test.each(Object.keys(BAD_REQUESTS))('%s is found, and nothing else', async (rule) => {
  const { findings } = await lintScript(BAD_REQUESTS[rule])
  expect(findings.map((finding) => finding.rule)).toEqual([rule])
  const [{ evidence, count, device, cure }] = findings
  expect(count).toBe(1)
  expect(evidence[0]).toMatchObject({ journal: 'vbd/1/51712/q0' })
  expect({ device, batch: evidence[0].batch > 0, cure: cure.length > 20 }).toEqual({
    device: 'vbd/1/51712', batch: true, cure: true,
  })
})

test('every rule that can be judged has a front end that breaks it', () => {
  // closed-busy needs a disk that is slow: it has a test of its own (integration/lint).
  const shown = [...Object.keys(BAD_REQUESTS), ...Object.keys(BAD_HANDSHAKES), 'closed-busy']
  const judged = rules.filter(({ unjudged }) => unjudged === undefined).map(({ name }) => name)
  expect([...shown].sort()).toEqual([...judged].sort())
})

test('a finding that explains another says how often, in its place', async () => {
  const [{ explains }] = (await lintScript(BAD_REQUESTS['sector-divided'])).findings
  expect(explains).toEqual({ 'sector-misaligned': 14 })
})

test('what is found often is counted, and the first times are told', async () => {
  const { findings } = await lintScript('connect\nrepeat 40\n  put op 77 as r\n  expect r unsupported\nend')
  expect(findings).toHaveLength(1)
  expect(findings[0]).toMatchObject({ rule: 'op-unknown', count: 40, severity: 'error' })
  expect(findings[0].evidence).toHaveLength(5)
})

describe.each(['x86_64', 'x86_32'] as const)('honest front ends over the %s ABI', (abi) => {
  test.each([1, 2, 3, 4])('seed %i: nothing to blame', (seed) => {
    const { segments, drained } = runWorld({ seed, steps: 1500, abi, indirect: 40 })
    expect(drained).toBe(true)
    const report = lintSegments(segments)
    expect(report.findings.filter(({ severity }) => severity !== 'note')).toEqual([])
    expect(report.devices[0].requests).toBeGreaterThan(300)
    expect(report.problems).toEqual([])
  })
})

test('a front end that vanishes takes its grants with it: no fault', () => {
  const { segments } = runWorld({ seed: 5, steps: 500, delayMax: 30 }, 'abandon')
  expect(lintSegments(segments).findings).toEqual([])
})

test('what was not judged is said', async () => {
  const { unjudged } = await lintScript('connect')
  expect(unjudged.map(({ rule }) => rule)).toEqual([
    'notify-needless', 'notify-missing', 'discard-granularity', 'closed-busy',
  ])
})
