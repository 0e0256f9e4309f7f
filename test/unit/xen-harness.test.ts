/** What the harness of the Xen rig must not get wrong, on any machine: its reading of consoles, dumps and suites. */
import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseGrantDump } from '../xen/dom0/grants.js'
import { GuestConsole } from '../xen/dom0/guest-console.js'
import { installGlobals, runSuite, type TestOutcome } from '../xen/dom0/suites.js'
import { boot, Interrupted } from '../xen/host/boot.js'
import { resultOf } from '../xen/host/lint.js'
import { readOptions } from '../xen/host/options.js'

const base64 = (text: string) => Buffer.from(text).toString('base64')
const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** A console whose sent lines are kept. */
function consoleWithLines() {
  const sent: string[] = []
  const console = new GuestConsole((text) => sent.push(text))
  return { sent, console }
}

describe("a guest's console", () => {
  test('an answer is found among the words of the kernel, however it is cut', async () => {
    const { sent, console } = consoleWithLines()
    const answer = console.run('uname')
    await Promise.resolve()
    expect(sent).toEqual([`run 1 ${base64('uname')}\n`])
    const said = `[ 1.0] hello\r\n@1 ${base64('Linux\n')}\r\n[ 2.0] again\r\n@1 end 0 ${md5('Linux\n')}\r\n`
    for (const character of said) console.receive(character)
    expect(await answer).toEqual({ output: 'Linux\n', status: 0 })
    expect(console.words).toBe('[ 1.0] hello\n[ 2.0] again\n')
  })

  test('an answer that the kernel spoke into is asked for again, a few times', async () => {
    const { sent, console } = consoleWithLines()
    const answer = console.run('x')
    await Promise.resolve()
    console.receive(`@1 ${base64('ab').slice(0, 2)}[ 1.0] boo\n@1 end 3 ${md5('ab')}\n`)
    expect(sent.at(-1)).toBe('again 1\n')
    console.receive(`@1 ${base64('ab')}\n@1 end [ 1.1] boo\n3 ${md5('ab')}\n`)
    expect(sent).toHaveLength(3)
    console.receive(`@1 ${base64('ab')}\n@1 end 3 ${md5('ab')}\n`)
    expect(await answer).toEqual({ output: 'ab', status: 3 })
    const spoilt = console.run('y')
    await Promise.resolve()
    const rejected = expect(spoilt).rejects.toThrow('spoilt')
    for (let time = 0; time < 6; time++) console.receive(`@2 end 0 ${md5('never')}\n`)
    await rejected
  })

  test('commands wait for their turn, and all end with the guest', async () => {
    const { sent, console } = consoleWithLines()
    const answers = [console.run('a'), console.run('b')].map((answer) => answer.catch((error: Error) => error.message))
    await Promise.resolve()
    expect(sent).toHaveLength(1)
    console.receive('boot words\n\r\n@agent ready\r\n')
    await console.whenReady()
    console.end(new Error('gone'))
    expect(await Promise.all(answers)).toEqual(['gone', 'gone'])
    await expect(console.whenReady()).rejects.toThrow('gone')
  })
})

test("Xen's dump of grant tables gives what is mapped, of whom, by whom", () => {
  const dump = [
    '(XEN) gnttab_usage_print_all [ key \'g\' pressed',
    '(XEN)       -------- active --------       -------- shared --------',
    '(XEN) [ref] localdom mfn      pin          localdom gmfn     flags',
    '(XEN) grant-table for remote d0 (v1)',
    '(XEN)   1 frames (64 max), 0 maptrack frames (1024 max)',
    '(XEN) no active grant table entries',
    '(XEN) grant-table for remote d3 (v1)',
    '(XEN) [0x000]      0 0x1c4b3  0x00000002          0 0x0001a2c3 0x19',
    '(XEN) [0x00a]      0 0x1c4b4  0x00000001          0 0x0001a2c4 0x19',
  ].join('\n')
  expect(parseGrantDump(dump)).toEqual([
    { owner: 3, gref: 0, mappedBy: 0 },
    { owner: 3, gref: 10, mappedBy: 0 },
  ])
})

test('suites run in order, with hooks around each test, and go on after a failure', async () => {
  const own = { describe, test, it, expect, beforeAll, afterAll, beforeEach, afterEach }
  const trace: string[] = []
  const outcomes: TestOutcome[] = []
  try {
    installGlobals()
    const load = () => {
      describe('outer', () => {
        beforeEach(() => void trace.push('before'))
        afterEach(() => void trace.push('after'))
        test('fails', () => expect(1).toBe(2))
        describe('inner', () => {
          beforeEach(() => void trace.push('inner'))
          test('hangs', () => new Promise(() => undefined), 10)
          test('passes', () => void trace.push('test'))
        })
      })
      return Promise.resolve()
    }
    await runSuite(load, 5000, (outcome) => outcomes.push(outcome))
  } finally {
    Object.assign(globalThis, own)
  }
  expect(outcomes.map(({ title, error }) => [title, error === undefined])).toEqual([
    ['outer › fails', false],
    ['outer › inner › hangs', false],
    ['outer › inner › passes', true],
  ])
  expect(trace.join(' ')).toBe('before after before inner after before inner test after')
})

test('options are read, and a wrong one is refused', () => {
  expect(readOptions(['--only', 'ext4', '--only', 'a.*b', '--short'])).toMatchObject({
    short: true,
    only: [/ext4/, /a.*b/],
    command: undefined,
  })
  expect(() => readOptions(['--shrt'])).toThrow('--shrt')
})

describe('the machine', () => {
  let directory: string
  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'xbbd-boot-'))))
  afterEach(() => rmSync(directory, { recursive: true }))

  /** A machine that is a script: it says that it begins, does `rest`, and notes how it ends. */
  const bootScript = (rest: string, told: (told: { event: string }) => void) => {
    const program = join(directory, 'run')
    const script = `#!/bin/bash\ntrap 'echo ended >${directory}/ended; exit 143' TERM\necho '{"event":"begin"}'\n${rest}\n`
    writeFileSync(program, script, { mode: 0o755 })
    return boot({ share: directory, command: 'true', machine: [], verbose: false, silenceOf: () => 60, program }, told)
  }
  const endless = 'while :; do sleep 0.05; done'
  const end = () => readFileSync(join(directory, 'ended'), 'utf8').trim()

  test.each(['SIGINT', 'SIGTERM'] as const)('%s ends it, and then who asked for it', async (signal) => {
    const before = process.listenerCount(signal)
    const outcome = bootScript(endless, () => process.emit(signal, signal))
    const error = await outcome.then(() => undefined, (error: unknown) => error)
    expect(error).toBeInstanceOf(Interrupted)
    expect([end(), (error as Interrupted).exitCode]).toEqual(['ended', signal === 'SIGINT' ? 130 : 143])
    expect(process.listenerCount(signal)).toBe(before)
  })

  test('what dom0 told last is how it went', async () => {
    expect(await bootScript(`echo '{"event":"done"}'`, () => undefined)).toEqual({ failure: undefined })
    const { failure } = await bootScript('echo a reason >&2; exit 3', () => undefined)
    expect(failure).toMatch(/status 3.*a reason/)
  })
})

test('a finding of the linter fails a scenario, unless it is a note or explained', () => {
  const finding = (rule: string, severity: 'error' | 'note') => ({
    device: 'vbd/1/51712', rule, severity, section: '', what: 'does so', cure: '', count: 2, explains: {},
    evidence: [{ journal: 'q0', run: '', segment: 0, batch: 7, record: 0, timeNs: 0, date: '', text: 'read' }],
  })
  const report = { devices: [{ device: 'vbd/1/51712', requests: 9 }], unjudged: [], problems: [], clean: true }
  const judge = (scenario: string, ...findings: ReturnType<typeof finding>[]) => resultOf({ ...report, findings }, scenario)
  expect(judge('ext4', finding('state-skipped', 'note'))).toEqual({
    summary: '1 front ends, 9 requests; state-skipped ×2', error: undefined,
  })
  expect(judge('a disc is exchanged', finding('range-beyond-end', 'error')).error).toBeUndefined()
  expect(judge('ext4', finding('range-beyond-end', 'error')).error).toContain('first in batch 7 of q0: read')
  expect(resultOf({ ...report, findings: [], problems: ['damaged'] }, 'ext4').error).toBe('damaged')
})
