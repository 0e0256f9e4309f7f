/**
 * The tables of docs/threat-model.md: each advisory and each defect of the seed is there, and the tests that a row names
 * exist, with its number in a title.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'

const DEFECTS = Array.from({ length: 35 }, (_, index) => `B${index + 1}`)
const ADVISORIES = [142, 155, 216, 229, 332, 349, 350, 361, 362, 365, 391, 396, 403].map((number) => `XSA-${number}`)

const page = readFileSync(join(packageRoot(), 'docs/threat-model.md'), 'utf8')
const rows = page.split('\n').filter((line) => /^\| (B\d+|XSA-\d+) \|/.test(line)).map((line) => {
  const [number, , tests] = line.split('|').map((cell) => cell.trim()).slice(1)
  return { number, files: [...tests.matchAll(/`([^`]+)`/g)].map(([, name]) => name) }
})

/** The numbers that begin a title: `'S18, B2: the segment count …'`. */
function numbersIn(source: string): ReadonlySet<string> {
  const titles = source.matchAll(/^\s*(?:(?:test|describe|testWith|\])[^\n]*?)?['"]((?:[A-Z]+-?\d+(?:, )?)+): /gm)
  return new Set([...titles].flatMap(([, numbers]) => numbers.split(', ')))
}

test('each advisory and each defect has its row, once and in order', () => {
  expect(rows.map(({ number }) => number)).toEqual([...ADVISORIES, ...DEFECTS])
})

test.each(rows.flatMap(({ number, files }) => files.map((file) => [number, file] as const)))('%s: %s', (number, file) => {
  const path = join(packageRoot(), 'test', `${file}.ts`)
  expect(existsSync(path)).toBe(true)
  expect([...numbersIn(readFileSync(path, 'utf8'))]).toContain(number)
})

test('each row names a test', () => {
  expect(rows.filter(({ files }) => files.length === 0)).toEqual([])
})
