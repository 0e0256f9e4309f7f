import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { packageRoot } from '../../src/io/native/load.js'
import { bannedCalls, errorCodes, essayOf, forbiddenImports, longFunctions, wideLines } from '../support/tidy.js'

const root = join(packageRoot(), 'src')
const filesIn = (folder: string) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => /\.tsx?$/.test(name) && !name.startsWith('machines/generated/'))
    .sort()
const files = filesIn(root)
const pageRoot = join(packageRoot(), 'page/src')

/** Each finding as `file:line what`, so that a failure is a list to work through. */
function findings(check: (source: ts.SourceFile, path: string) => string[], folder = root): string[] {
  return (folder === root ? files : filesIn(folder)).flatMap((name) => {
    const text = readFileSync(join(folder, name), 'utf8')
    const source = ts.createSourceFile(name, text, ts.ScriptTarget.ES2023, true)
    return check(source, name).map((finding) => `${name}:${finding}`)
  })
}

test('there is something to check', () => {
  expect(files.length).toBeGreaterThan(10)
})

test('every file begins with an essay of its own', () => {
  expect(findings(essayOf)).toEqual([])
})

test('no file has more than 400 lines, no line more than 120 columns', () => {
  expect(findings(wideLines)).toEqual([])
})

test('no function has more than 70 lines', () => {
  expect(findings(longFunctions)).toEqual([])
})

test('clocks, chance, timers, console and process stay where they belong', () => {
  expect(findings(bannedCalls)).toEqual([])
})

test('imports point downwards only', () => {
  expect(findings(forbiddenImports)).toEqual([])
})

test('codes of our own errors have one prefix', () => {
  expect(findings(errorCodes)).toEqual([])
})

test('the page is as tidy, whose clocks and timers are the browser’s own', () => {
  expect(filesIn(pageRoot).length).toBeGreaterThan(10)
  for (const check of [essayOf, wideLines, longFunctions]) expect(findings(check, pageRoot)).toEqual([])
})

describe('the checks themselves find what they are for', () => {
  const source = (text: string) => ts.createSourceFile('x.ts', text, ts.ScriptTarget.ES2023, true)
  test('essays', () => {
    expect(essayOf(source('export const a = 1\n'))).toHaveLength(1)
    expect(essayOf(source('/** @packageDocumentation Short. */\nexport const a = 1\n'))).toHaveLength(1)
    const essay = `/**\n * @packageDocumentation\n${' * It exists because.\n'.repeat(9)} */\n`
    expect(essayOf(source(`${essay}export const a = 1\n`))).toEqual([])
    expect(essayOf(source(`#!/usr/bin/env node\n${essay}export const a = 1\n`))).toEqual([])
  })
  test('length and width', () => {
    expect(wideLines(source('\n'.repeat(401)))).toHaveLength(1)
    expect(wideLines(source(`// ${'é'.repeat(117)}\n// ${'é'.repeat(118)}\n`))).toEqual(['2 has 121 columns'])
    const body = (lines: number) => `const f = () => {\n${'void 0\n'.repeat(lines)}}\n`
    expect([longFunctions(source(body(68))), longFunctions(source(body(69)))]).toEqual([[], ['1 f has 71 lines']])
  })
  test('calls', () => {
    const text = 'Date.now()\nnew Date()\nMath.random()\nsetTimeout(f, 1)\nconsole.log(1)\nprocess.exit(1)\nx.process.y\nnew Date(5)\n'
    expect(bannedCalls(source(text), 'core/x.ts').map((finding) => finding.split(' ')[0])).toEqual(['1', '2', '3', '4', '5', '6'])
    expect(bannedCalls(source(text), 'cli/x.ts')).toEqual([])
    expect(bannedCalls(source('import { setTimeout } from "node:timers/promises"\n'), 'core/x.ts')).toHaveLength(1)
  })
  test('codes', () => {
    expect(errorCodes(source("new XbbdError('XBBD_A_B', '')\nnew XbbdError('EIO', '')\n"))).toEqual(['2 has the code EIO'])
  })
  test('imports', () => {
    const imports = (path: string, ...to: string[]) =>
      forbiddenImports(source(to.map((name) => `import '${name}'\n`).join('')), path).length
    expect(imports('protocol/x.ts', './y.js', '../ports/host.js', '../core/y.js', 'node:fs', 'rxjs')).toBe(3)
    expect(imports('machines/x.ts', 'xstate', '../protocol/y.js', 'node:fs', 'rxjs', '../core/y.js')).toBe(3)
    expect(imports('observe/x.ts', '../core/y.js', '../actors/y.js')).toBe(1)
    expect(imports('sim/x.ts', '../actors/y.js', '../io/media/y.js')).toBe(1)
    expect(imports('actors/x.ts', '../cli/y.js')).toBe(1)
    expect(imports('cli/x.ts', '../actors/y.js', '../io/y.js', 'node:fs')).toBe(0)
    expect(forbiddenImports(source("export * from '../cli/y.js'\nconst a = import('../cli/y.js')\n"), 'io/x.ts')).toHaveLength(2)
  })
})
