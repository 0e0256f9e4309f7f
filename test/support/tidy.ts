/**
 * @packageDocumentation
 * What `tidy.test.ts` asks of every source file, as functions from a parsed file to findings (`line what`). The rules
 * are those that a compiler and a linter do not know: where an essay stands, who may import whom, who may look at a clock.
 * Lists of exceptions stand beside each rule, with the reason; they may only become shorter.
 */
import { posix } from 'node:path'
import ts from 'typescript'

const FILE_LINES_MAX = 400
const LINE_COLUMNS_MAX = 120
const FUNCTION_LINES_MAX = 70
const ESSAY_WORDS_MIN = 20

/** A file opens with a TSDoc comment that holds `@packageDocumentation` and two sentences at least. */
export function essayOf(source: ts.SourceFile): string[] {
  const comments = ts.getLeadingCommentRanges(source.text, ts.getShebang(source.text)?.length ?? 0) ?? []
  const first = comments[0] && source.text.slice(comments[0].pos, comments[0].end)
  if (!first?.startsWith('/**') || !first.includes('@packageDocumentation')) return ['1 does not begin with an essay']
  const words = first.replace('@packageDocumentation', '').match(/\p{L}+/gu) ?? []
  return words.length >= ESSAY_WORDS_MIN ? [] : [`1 has an essay of ${words.length} words: say why the file exists`]
}

/** Files and lines of a size that can be read; columns are code points. */
export function wideLines(source: ts.SourceFile): string[] {
  const lines = source.text.replace(/\n$/, '').split('\n')
  const wide = lines.flatMap((line, index) => {
    const columns = [...line].length
    return columns > LINE_COLUMNS_MAX ? [`${index + 1} has ${columns} columns`] : []
  })
  return lines.length > FILE_LINES_MAX ? [`${lines.length} is the last line: split the file`, ...wide] : wide
}

/** Codes of our own errors are told from an errno's name, and from other programs' codes, by their prefix. */
export function errorCodes(source: ts.SourceFile): string[] {
  const found: string[] = []
  visit(source, (node) => {
    if (!ts.isNewExpression(node) || node.expression.getText() !== 'XbbdError') return
    const code = node.arguments?.[0]
    if (!code || !ts.isStringLiteral(code) || /^XBBD(_[A-Z]+)+$/.test(code.text)) return
    found.push(`${source.getLineAndCharacterOfPosition(code.getStart(source)).line + 1} has the code ${code.text}`)
  })
  return found
}

/** Functions fit a screen. */
export function longFunctions(source: ts.SourceFile): string[] {
  const found: string[] = []
  visit(source, (node) => {
    if (!ts.isFunctionLike(node) || !('body' in node) || !node.body) return
    const from = source.getLineAndCharacterOfPosition(node.getStart(source)).line
    const lines = source.getLineAndCharacterOfPosition(node.end).line - from + 1
    if (lines > FUNCTION_LINES_MAX) found.push(`${from + 1} ${nameOf(node)} has ${lines} lines`)
  })
  return found
}

function nameOf(node: ts.Node): string {
  if ('name' in node && node.name) return (node.name as ts.Node).getText()
  return ts.isVariableDeclaration(node.parent) ? node.parent.name.getText() : 'a function'
}

/** Who may read clocks, set timers, print, and touch the process: the rim, by folder or by file. */
const RIM = [
  'cli/',
  'io/native/system-clock.ts', // the one implementation of the Clock port on a real machine
]

/** What only the rim may use; a bare name means every property of it. */
const BANNED = ['Date.now', 'Math.random', 'console', 'process', 'performance']
const BANNED_CALLS = ['setTimeout', 'setInterval', 'Date']

/** Time, chance and the process are injected. Main files of processes of their own are part of the rim. */
export function bannedCalls(source: ts.SourceFile, path: string): string[] {
  if (RIM.some((prefix) => path.startsWith(prefix)) || isProcessEntry(path)) return []
  const found: string[] = []
  const report = (node: ts.Node, what: string) =>
    found.push(`${source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1} uses ${what}: inject it`)
  visit(source, (node) => {
    if (ts.isPropertyAccessExpression(node) && ts.isIdentifier(node.expression)) {
      const text = `${node.expression.text}.${node.name.text}`
      if (BANNED.includes(text) || BANNED.includes(node.expression.text)) report(node, text)
    } else if (ts.isCallExpression(node) && ts.isIdentifier(node.expression)) {
      if (BANNED_CALLS.includes(node.expression.text)) report(node, `${node.expression.text}()`)
    } else if (ts.isNewExpression(node) && ts.isIdentifier(node.expression)) {
      if (node.expression.text === 'Date' && !node.arguments?.length) report(node, 'new Date()')
    } else if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      if (/^(node:)?(timers|process|console|perf_hooks)/.test(node.moduleSpecifier.text))
        report(node, node.moduleSpecifier.text)
    }
  })
  return found
}

/** `embedded/…/main.ts` is the first file of a process of its own. */
function isProcessEntry(path: string): boolean {
  return /^embedded\/(.*\/)?main\.ts$/.test(path)
}

/** Folders that each folder may import from, beside itself, and packages from outside. `*` is any. */
const MAY_IMPORT: Readonly<Record<string, { folders: readonly string[]; packages: readonly string[] }>> = {
  ports: { folders: ['protocol'], packages: ['rxjs'] },
  protocol: { folders: [], packages: [] },
  machines: { folders: ['protocol'], packages: ['xstate'] },
  core: { folders: ['protocol', 'machines'], packages: ['xstate'] },
  journal: { folders: ['protocol', 'machines', 'core'], packages: ['*'] },
  actors: { folders: ['protocol', 'machines', 'core', 'journal'], packages: ['*'] },
  lint: { folders: ['protocol', 'machines', 'core', 'journal'], packages: [] },
  io: { folders: ['protocol', 'journal'], packages: ['*'] },
  script: { folders: ['protocol'], packages: [] },
  embedded: { folders: ['protocol', 'io', 'script'], packages: ['*'] },
  // The simulated machine's XenStore is the pocket host's, which knows neither time nor sockets.
  sim: {
    folders: ['protocol', 'machines', 'core', 'journal', 'actors', 'script', 'embedded'], packages: ['xstate', 'rxjs'],
  },
  observe: { folders: ['protocol', 'machines', 'core', 'journal'], packages: ['*'] },
  cli: { folders: ['*'], packages: ['*'] },
}

/** Folders whose ports are types only may be imported by all; everything else points downwards. */
export function forbiddenImports(source: ts.SourceFile, path: string): string[] {
  const folder = path.split('/')[0]
  const may = MAY_IMPORT[folder]
  if (!may) return [`1 lies in a folder that has no place in the house: ${folder}`]
  return importsOf(source).flatMap(({ line, to }) => {
    if (!to.startsWith('.')) {
      const allowed = may.packages.includes('*') || may.packages.some((name) => to === name || to.startsWith(`${name}/`))
      return allowed ? [] : [`${line} imports ${to}, which ${folder}/ must not know`]
    }
    const target = posix.normalize(posix.join(posix.dirname(path), to)).split('/')[0]
    const allowed = target === folder || target === 'ports' || may.folders.includes(target) || may.folders.includes('*')
    return allowed ? [] : [`${line} imports ${target}/, which stands above or beside ${folder}/`]
  })
}

function importsOf(source: ts.SourceFile): { line: number; to: string }[] {
  const found: { line: number; to: string }[] = []
  const add = (node: ts.Node, specifier: ts.Node | undefined) => {
    if (specifier && ts.isStringLiteral(specifier))
      found.push({ line: source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1, to: specifier.text })
  }
  visit(source, (node) => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node, node.moduleSpecifier)
    else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) add(node, node.arguments[0])
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node, node.argument.literal)
  })
  return found
}

function visit(node: ts.Node, look: (node: ts.Node) => void): void {
  look(node)
  ts.forEachChild(node, (child) => visit(child, look))
}
