import { wordsOf } from '../../src/cli/run/log.js'

test('on a terminal a line of the log is words: time, level, sentence, fields', () => {
  const line = { level: 'info', time: '2026-11-23T01:02:03.456Z', pid: 7, devices: 2, why: 'two words', list: ['a'], msg: 'ready' }
  expect(wordsOf(JSON.stringify(line))).toBe('01:02:03 info  ready devices=2 why="two words" list=["a"]\n')
  expect(wordsOf(JSON.stringify({ ...line, why: '\x1b[31m', msg: 'x\ny' }))).toBe('01:02:03 info  x·y devices=2 why=·[31m list=["a"]\n')
})
