/**
 * The table of features in README.md: each yes of ours names tests that are there.
 */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { chosenBoots } from '../xen/host/catalogue.js'
import { readOptions } from '../xen/host/options.js'

const page = readFileSync(join(packageRoot(), 'README.md'), 'utf8')
const rows = page.split('\n').filter((line) => /^\| [a-z0-9]/.test(line)).map((line) => line.split('|').map((cell) => cell.trim()).slice(1, -1)).filter((row) => row.length > 2)
const boots = await chosenBoots(readOptions([]))
const scenarios = new Set(boots.flatMap((boot) => boot.scenarios.map(({ name }) => name)))

test('there is a row for each feature, and a column for each back end', () => {
  expect(rows.length).toBeGreaterThan(15)
  expect(new Set(rows.map((row) => row.length))).toEqual(new Set([6]))
})

test.each(rows.map((row) => [row[0], row[1]]))('%s: each yes names its test', (_feature, ours) => {
  const files = [...ours.matchAll(/`([^`]+)`/g)].map(([, name]) => name)
  const titles = [...ours.matchAll(/\*([^*]+)\*/g)].map(([, title]) => title)
  expect(ours).toMatch(/^yes/)
  expect(files.length + titles.length).toBeGreaterThan(0)
  const isThere = (name: string) => ['.test.ts', '.ts'].some((end) => existsSync(join(packageRoot(), 'test', name + end)))
  expect(files.filter((name) => !isThere(name))).toEqual([])
  expect(titles.filter((title) => !scenarios.has(title))).toEqual([])
})
