import { createHash } from 'node:crypto'
import { createMachine } from 'xstate'
import { chartHash, requireCurrentChart } from '../../src/machines/compile/index.js'
import { sha256 } from '../../src/machines/compile/sha256.js'
import { charts } from '../../src/machines/index.js'
import { stepQueue, queueChartHash } from '../../src/machines/generated/queue.js'
import { requestChartHash, stepRequest } from '../../src/machines/generated/request.js'
import { codeOf, sentenceOf } from '../../src/protocol/errors.js'

test('sha256 is what Node calls SHA-256, around every block boundary', () => {
  for (const length of [0, 1, 54, 55, 56, 57, 63, 64, 65, 119, 120, 128, 1000, 12345]) {
    for (const text of ['a'.repeat(length), 'é€𝄞'.repeat(length)])
      expect(sha256(text)).toBe(createHash('sha256').update(text).digest('hex'))
  }
})

const chart = (on: object, description = 'one') =>
  createMachine({ id: 'x', initial: 'A', states: { A: { description, on }, B: {} } } as never)

test('a chart’s identity is its law and not its wording', () => {
  const hash = chartHash(chart({ go: 'B', back: 'A' }))
  expect(hash).toMatch(/^[0-9a-f]{16}$/)
  expect(chartHash(chart({ go: 'B', back: 'A' }, 'two'))).toBe(hash)
  expect(chartHash(chart({ go: 'A', back: 'A' }))).not.toBe(hash)
  expect(chartHash(chart({ back: 'A', go: 'B' }))).not.toBe(hash)
  expect(() => chartHash(chart({ go: { actions: () => undefined } }))).toThrow('actions is a function')
})

test('generated code is of the charts that run', () => {
  const hashes: Record<string, string> = { request: requestChartHash, queue: queueChartHash }
  for (const { name, chart: current } of charts.filter((entry) => entry.compiled))
    expect(() => requireCurrentChart(current, hashes[name])).not.toThrow()
  expect([typeof stepRequest, typeof stepQueue]).toEqual(['function', 'function'])
})

test('generated code of another chart is refused with the cure', () => {
  const code = (() => {
    try {
      requireCurrentChart(chart({ go: 'B' }), '0123456789abcdef')
    } catch (error) {
      return `${codeOf(error)}: ${sentenceOf(error)}`
    }
    return 'accepted'
  })()
  expect(code).toMatch(/^XBBD_CHART_STALE: .*0123456789abcdef.*run npm run charts$/)
})
