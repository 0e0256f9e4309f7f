/** The manual pages: they are what the program and pages.txt say, and two formatters have nothing to say to them. */
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { settingKeys } from '../../src/cli/config/schema.js'
import { manualPages } from '../../src/cli/manual/pages.js'
import { roffOf } from '../../src/cli/manual/roff.js'
import { buildProgram } from '../../src/cli/program.js'
import { terminalOn } from '../../src/cli/terminal.js'
import { packageVersion } from '../../src/cli/version.js'
import { packageRoot } from '../../src/io/native/load.js'
import { testWith } from '../support/clients.js'

const folder = join(packageRoot(), 'packaging/man')
const program = buildProgram({ terminal: terminalOn(process.stdout, process.stderr, {}), status: 0 })
const pages = manualPages(readFileSync(join(folder, 'pages.txt'), 'utf8'), program, packageVersion())

test('packaging/man/ is current (`npm run man`, or UPDATE_GOLDEN=1, writes it anew)', () => {
  expect([...pages.keys()]).toEqual(['xbbd.8', 'xbbd.conf.5'])
  for (const [name, text] of pages) {
    if (process.env.UPDATE_GOLDEN) writeFileSync(join(folder, name), text)
    expect(readFileSync(join(folder, name), 'utf8')).toBe(text)
  }
})

test('no command and no setting is missing, and no mark was left', () => {
  const plain = (name: string) => (pages.get(name) ?? '').replaceAll(/\\f[BIR]|\\(?=-)/g, '')
  const commands = program.commands.map((command) => command.name())
  expect(commands.filter((name) => !plain('xbbd.8').includes(`.SS xbbd ${name}`))).toEqual([])
  expect(settingKeys.filter((key) => !plain('xbbd.conf.5').includes(`\n${key} = `))).toEqual([])
  for (const text of pages.values()) expect(text).not.toMatch(/\{\w+\}|`[^`\n]*`(?! of packaging)|undefined/)
})

const mandoc = (text: string) => spawnSync('mandoc', ['-T', 'lint', '-W', 'warning'], { input: text }).stdout.toString()
const groff = (text: string) => spawnSync('groff', ['-ww', '-z', '-man', '-Tutf8'], { input: text }).stderr.toString()

testWith(['mandoc', 'groff'], 'mandoc and groff have nothing to say, and see what is planted', () => {
  for (const text of pages.values()) {
    expect([mandoc(text), groff(text)]).toEqual(['', ''])
    expect(mandoc(text.replace('.SH NAME', '.SH NAME\n.PP'))).toMatch(/WARNING/)
    expect(groff(text.replace('.SH DESCRIPTION', '.SH DESCRIPTION\n.XX'))).toMatch(/XX/)
  }
  return Promise.resolve()
})

test('text never becomes a macro, and an example keeps its blank lines', () => {
  expect(roffOf('## A `b`\n.dot\n\'quote \\n --flag _it_ a_b_c\n\n    .x -y\n\n    z\n- `-t` :: one\n  two\n- u :: v')).toBe(
    '.SH A \\fBb\\fR\n\\&.dot\n\\&\'quote \\en \\-\\-flag \\fIit\\fR a_b_c\n' +
      '.IP\n.EX\n\\&.x -y\n\nz\n.EE\n.TP\n\\fB\\-t\\fR\none\ntwo\n.TP\nu\nv\n',
  )
})
