/** `.ci/run` installs every program that a test asks for by testWith: otherwise a fresh machine fails for no fault. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { packageRoot } from '../../src/io/native/load.js'

const root = packageRoot()
const folder = join(root, 'test')

/** The texts of an array literal; none for anything else. */
function textsOf(node: ts.Node | undefined): string[] {
  if (node && ts.isAsExpression(node)) return textsOf(node.expression)
  if (!node || !ts.isArrayLiteralExpression(node)) return []
  return node.elements.filter((element) => ts.isStringLiteral(element)).map((element) => element.text)
}

/** What `testWith` asks for in one file, written there or in a constant of the file. */
function clientsOf(text: string): string[] {
  const constants = new Map<string, string[]>()
  const named: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node) && ts.isIdentifier(node.name))
      constants.set(node.name.text, textsOf(node.initializer))
    if (ts.isCallExpression(node) && node.expression.getText() === 'testWith') {
      const [asked] = node.arguments
      named.push(...(ts.isIdentifier(asked) ? (constants.get(asked.text) ?? []) : textsOf(asked)))
    }
    ts.forEachChild(node, visit)
  }
  visit(ts.createSourceFile('x.ts', text, ts.ScriptTarget.ES2023, true))
  return named
}

test('continuous integration installs what testWith names', () => {
  const script = readFileSync(join(root, '.ci/run'), 'utf8')
  const installed = new Set([...script.matchAll(/([\w./-]+):[\w-]+/g)].map(([, tool]) => tool))
  const asked = readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.test.ts'))
    .flatMap((name) => clientsOf(readFileSync(join(folder, name), 'utf8')))
  expect(asked).toEqual(expect.arrayContaining(['fio', 'gcc']))
  expect(asked.filter((tool) => !installed.has(tool))).toEqual([])
})

test('what it looks for is found', () => {
  expect(clientsOf("const a = ['x', 'y'] as const\ntestWith(a, '', f)\ntestWith(['z'], '', f)\n")).toEqual(['x', 'y', 'z'])
})
