/**
 * The linter against front ends that are bad on purpose, one for each rule that a queue's journal can judge: exactly that
 * finding and no other. And against honest ones: nothing.
 */
import { chainsOf } from '../../src/journal/chain.js'
import { segmentsInMemory } from '../../src/journal/journal-files.js'
import { lintChains } from '../../src/lint/lint.js'
import type { LintReport } from '../../src/lint/lint.js'
import { parseScript } from '../../src/script/parse.js'
import { runScript } from '../../src/script/run.js'
import { SimScriptPort } from '../../src/sim/script-port.js'
import { runWorld } from '../../src/sim/run-world.js'

const lintSegments = (segments: readonly Int32Array[]): LintReport => lintChains(chainsOf(segmentsInMemory(segments)))

async function lintScript(text: string): Promise<LintReport> {
  const port = new SimScriptPort()
  const { failure } = await runScript(parseScript(`${text}\n`), port)
  expect(failure).toBeUndefined()
  return lintSegments(port.world.segments)
}

/** By rule: what such a front end does. */
const BAD: Readonly<Record<string, string>> = {
  'ring-overrun': 'connect\nput read at 0 sectors 8 as r\nexpect r okay\nindex req_prod +1000\nnotify\nwait 1ms',
  'id-reused': 'connect\nstage read at 0 sectors 8 id 5 as a\nput write at 8 sectors 8 id 5 as b\nexpect a b okay',
  'grant-reused':
    'connect\npage a\nstage read at 0 segments a as r\nstage write at 8 segments a as w\npublish\nexpect r w okay',
  'grant-bad': 
    'connect\nput read segments @4000 as r\nexpect r error\nput read sectors 8 as s\nexpect s okay',
  'op-unknown': 'connect\nput op 77 as r\nexpect r unsupported',
  'op-not-offered': 'disk without discard\nconnect\nput discard at 0 sectors 8 as d\nexpect d unsupported',
  'barrier-not-offered': 'disk without barrier\nconnect\nput barrier at 0 sectors 8 as b\nexpect b unsupported',
  'disk-read-only': 'disk read-only\nconnect\nput write at 0 sectors 8 as w\nexpect w error',
  'segments-none': 'connect\nput read at 0 as r\nexpect r error',
  'segments-too-many': 'connect\nput read at 0 sectors 8 nr-segments 12 as r\nexpect r error',
  'segment-reversed': 'connect\npage a\nput read segments a:5-3 as r\nexpect r error',
  'segment-crosses-page': 'connect\npage a\nput read segments a:0-8 as r\nexpect r error',
  'segment-misaligned': 'disk sector-size 4096\nconnect\npage a\nput read segments a:1-7 as r\nexpect r error',
  'sector-misaligned': 'disk sector-size 4096\nconnect\nput read at 4 sectors 8 as r\nexpect r error',
  'sector-divided': [
    'disk sector-size 4096', 'connect',
    ...Array.from({ length: 16 }, (_, block) => `put read at ${block} sectors 8 as r${block}`), 'wait 1ms',
  ].join('\n'),
  'range-beyond-end': 'connect\nput read at 8192 sectors 8 as r\nexpect r error',
  'discard-empty': 'connect\nput discard at 0 sectors 0 as d\nexpect d error',
  'discard-misaligned': 'disk sector-size 4096\nconnect\nput discard at 4 sectors 8 as d\nexpect d error',
  'discard-flag': 'connect\nput discard at 0 sectors 8 flag 6 as d\nexpect d okay',
  'discard-secure-not-offered': 'connect\nput discard at 0 sectors 8 flag 1 as d\nexpect d okay',
  'indirect-operation': 'connect\nput indirect flush sectors 8 as r\nexpect r error',
  'descriptors-unreadable': 'connect\nput indirect read sectors 128 descriptors @4000 as r\nexpect r error',
  'indirect-short': 'connect\nput indirect read sectors 8 as r\nexpect r okay',
}

test.each(Object.keys(BAD))('%s is found, and nothing else', async (rule) => {
  const { findings } = await lintScript(BAD[rule])
  expect(findings.map((finding) => finding.rule)).toEqual([rule])
  const [{ evidence, count, device, cure }] = findings
  expect(count).toBe(1)
  expect(evidence[0]).toMatchObject({ journal: 'vbd/1/51712/q0' })
  expect({ device, batch: evidence[0].batch > 0, cure: cure.length > 20 }).toEqual({
    device: 'vbd/1/51712', batch: true, cure: true,
  })
})

test('a finding that explains another says how often, in its place', async () => {
  const [{ explains }] = (await lintScript(BAD['sector-divided'])).findings
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
