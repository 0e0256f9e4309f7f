import { controlSocketOf, hostDirectoryOf } from '../../src/cli/config/cross-check.js'
import { flagOf, loadSettings, readConfigFile, settingsOrThrow, type Layers } from '../../src/cli/config/load.js'
import { parseConfig } from '../../src/cli/config/parse.js'
import { planReload } from '../../src/cli/config/reload.js'
import { settingKeys, settingOf } from '../../src/cli/config/schema.js'
import { parseValue, printValue } from '../../src/cli/config/kinds.js'

const file = (content: string) => ({ path: 'x.conf', content })
const load = (layers: Layers) => settingsOrThrow(loadSettings(layers))
const problems = (layers: Layers) => {
  const loaded = loadSettings(layers)
  return loaded.ok ? [] : loaded.problems.map(({ where, sentence }) => `${where}: ${sentence}`)
}

test('every default is accepted and prints as it is written', () => {
  for (const key of settingKeys) {
    const { kind, fallback } = settingOf(key)
    const parsed = parseValue(kind, fallback)
    expect([key, parsed]).toEqual([key, { ok: true, value: expect.anything() as unknown }])
    if (parsed.ok) expect([key, printValue(kind, parsed.value)]).toEqual([key, fallback])
  }
  expect(problems({})).toEqual([])
})

test('every setting has one flag of its own and one sentence', () => {
  expect(new Set(settingKeys.map(flagOf)).size).toBe(settingKeys.length)
  for (const key of settingKeys) expect(settingOf(key).doc).toMatch(/^[A-Za-z].{20,}\.$/)
})

test('lines: comments, blanks, quotes, escapes', () => {
  const text = '# c\n\n a = 1 # why\nb="x # \\"y\\" \\\\" # why\r\nc = a#b\nd = ""\n'
  expect(parseConfig(text)).toEqual({
    entries: [
      { key: 'a', text: '1', line: 3 },
      { key: 'b', text: 'x # "y" \\', line: 4 },
      { key: 'c', text: 'a#b', line: 5 },
      { key: 'd', text: '', line: 6 },
    ],
    problems: [],
  })
})

test('every bad line is named with its number, and reading goes on', () => {
  const text = 'word\n= 1\na b = 1\nc =\nd = # only a comment\ne = "open\nf = "x" y\ng = "\\n"\nh = 1\n'
  const { entries, problems } = parseConfig(text)
  expect(entries).toEqual([{ key: 'h', text: '1', line: 9 }])
  expect(problems.map(({ line, sentence }) => `${line} ${sentence}`)).toEqual([
    '1 this is no setting: write key = value',
    '2 the key before = is missing',
    '3 "a b" is no key: a key has no blanks',
    '4 c: the value is missing (write "" for an empty one)',
    '5 d: the value is missing (write "" for an empty one)',
    '6 e: the quoted value does not end (inside quotes only \\" and \\\\ may follow a backslash)',
    '7 f: "y" behind the closing quote',
    '8 g: the quoted value does not end (inside quotes only \\" and \\\\ may follow a backslash)',
  ])
})

test('a flag wins over the file, the file over the default, and the origin is kept', () => {
  const { settings, origins } = load({
    file: file('workers = 2\njournal.size = 32M\n'),
    flags: { 'journal.size': '128M' },
  })
  expect([settings.workers, settings['journal.size'], settings['arena.size']]).toEqual([2, 128 << 20, 16 << 20])
  expect([origins.workers, origins['journal.size'], origins['arena.size']]).toEqual(['x.conf:1', '--journal-size', 'default'])
})

test('all problems come at once, those of the file first and in its order', () => {
  const content = 'jurnal.size = 1M\nworkers = 0\nnonsense\nzzzzzz = 1\nworkers = 1\n'
  expect(problems({ file: file(content), flags: { 'log.level': 'loud' } })).toEqual([
    'x.conf:1: unknown setting "jurnal.size": did you mean journal.size?',
    'x.conf:2: workers = "0": must lie between 1 and 64',
    'x.conf:3: this is no setting: write key = value',
    'x.conf:4: unknown setting "zzzzzz": `xbbd config show` lists all settings',
    'x.conf:5: workers is set a second time; the first is x.conf:2',
    '--log-level: log.level = "loud": must be one of silent, fatal, error, warn, info, debug, trace',
  ])
})

test('settings that contradict each other are found, also beside other problems', () => {
  const found = problems({ file: file('workers = 8\njournal.size = 8M\nnope = 1\n') })
  expect(found).toEqual([
    'x.conf:2: journal.size = 8M cannot hold one busy queue per worker: with workers = 8 give it at least 18M',
    'x.conf:3: unknown setting "nope": `xbbd config show` lists all settings',
  ])
  expect(problems({ flags: { 'run.dir': `/${'d'.repeat(110)}` } })).toEqual([
    expect.stringMatching(/^--run-dir: .*longer than a unix socket's path may be/),
  ])
})

test('the prototype of objects names no setting', () => {
  expect(problems({ file: file('constructor = 1\n__proto__ = 1\n') })).toHaveLength(2)
})

test('one error names the first problem, and how many more there are', () => {
  expect(() => load({ file: file('a=1\nb=2\nc=3\n') })).toThrow(
    expect.objectContaining({ exitCode: 78, message: expect.stringMatching(/^x\.conf:1: .*and 2 more/) as unknown }) as Error,
  )
})

test('a named file must exist', () => {
  expect(() => readConfigFile('/nonexistent/xbbd.conf')).toThrow(expect.objectContaining({ exitCode: 66 }) as Error)
})

test('socket and host directory follow run.dir unless they are named', () => {
  const followed = load({ flags: { 'run.dir': '/r' } }).settings
  expect([controlSocketOf(followed), hostDirectoryOf(followed)]).toEqual(['/r/control', '/r/host'])
  const named = load({ flags: { 'control.socket': '/s', 'host.dir': '/h' } }).settings
  expect([controlSocketOf(named), hostDirectoryOf(named)]).toEqual(['/s', '/h'])
})

test('a reload takes what a running daemon can take, and names what waits', () => {
  const before = load({}).settings
  const read = load({ flags: { 'log.level': 'debug', workers: '2' } }).settings
  expect(planReload(before, read)).toEqual({
    settings: { ...before, 'log.level': 'debug' },
    changed: ['log.level'],
    waiting: ['workers'],
  })
})
