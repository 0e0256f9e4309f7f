/**
 * Scripts of front ends in the simulated world: what is true on the embedded host must be true here. Those that need
 * more than one queue has are refused by name, and the list of them may only become shorter.
 */
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { parseScript } from '../../src/script/parse.js'
import { runScript } from '../../src/script/run.js'
import { lackOf } from '../../src/script/survey.js'
import { SimScriptPort } from '../../src/sim/script-port.js'

const folder = join(packageRoot(), 'examples/frontend')
const scripts = readdirSync(folder).filter((name) => name.endsWith('.xbf'))
const read = (name: string) => parseScript(readFileSync(join(folder, name), 'utf8'), name)
const possible = (name: string) => lackOf(read(name), new SimScriptPort().lacks) === undefined

test('what the simulated world cannot do is known by name', () => {
  const refused = scripts.filter((name) => !possible(name))
  expect(refused).toEqual([
    'hand-over.xbf', 'handshake.xbf', 'persistent.xbf', 'producer-jump.xbf', 'queues.xbf', 'stopped.xbf',
  ])
})

describe.each([1, 2, 3])('seed %i', (seed) => {
  test.each(scripts.filter(possible))('%s', async (name) => {
    const report = await runScript(read(name), new SimScriptPort({ seed }))
    expect(report.failure).toBeUndefined()
    expect(report.requests).toBeGreaterThan(0)
  })

  test.each(['abi x86_32', 'abi x86_64'])('%s', async (abi) => {
    const report = await runScript([...parseScript(abi), ...read('lies.xbf')], new SimScriptPort({ seed }))
    expect(report.failure).toBeUndefined()
  })
})

test('a script is told at which line something else came', async () => {
  const report = await runScript(parseScript('connect\nput op 77 as r\nexpect r okay\n'), new SimScriptPort())
  expect(report).toMatchObject({
    ok: false,
    failure: { line: 3, statement: 'expect r okay', sentence: 'r was answered unsupported, expected was okay' },
  })
})

test('a back end that answers wrong is found out, also where nothing is expected', async () => {
  const port = new SimScriptPort({
    sabotage: ({ ring }) => {
      const { answer } = ring
      ring.answer = function (answers, count, rspProd) {
        answers[0] += 1
        return answer.call(ring, answers, count, rspProd)
      }
    },
  })
  const report = await runScript(parseScript('connect\nput read at 0 sectors 8\nwait 1ms\n'), port)
  expect(report.failure?.sentence).toBe('the back end lies: queue 0 was answered id 2, which is not outstanding')
})

test('laws watch honest scripts, and what they find fails the script', async () => {
  const port = new SimScriptPort({
    sabotage: ({ laws }) => laws.blame('answered-once', 'planted'),
  })
  const report = await runScript(parseScript('connect\nput read at 0 sectors 8 as r\nexpect r okay\n'), port)
  expect(report.failure?.sentence).toBe('the law answered-once is broken: planted')
})

test('what a script wants and the world lacks is said before it begins', async () => {
  const script = parseScript('connect\nexpect state Connected\n')
  await expect(runScript(script, new SimScriptPort())).rejects.toThrow(
    'line 2 (expect state Connected) is nothing that the simulated world can do',
  )
})
