/**
 * @packageDocumentation
 * `npm run charts`: writes again every file that follows from the charts (see src/observe/chart-files.ts
 * and picture/files.ts) and removes
 * those of charts that are gone. It says what changed.
 *
 * It imports charts and compiler and never the generated code, so it also runs when the generated code does not fit a
 * changed chart: the compilation before it may then report type errors in whoever uses the old code, which is why
 * that step keeps going for this command alone. After it, `npm test` compiles everything anew.
 */
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { charts } from '../src/machines/index.js'
import { CHART_FOLDERS, chartFiles } from '../src/observe/chart-files.js'
import { pictureFiles } from '../src/observe/picture/files.js'
import { codeOf, sentenceOf } from '../src/protocol/errors.js'

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))))

function write(files: ReadonlyMap<string, string>): string[] {
  return [...files].flatMap(([path, content]) => {
    const file = join(root, path)
    if (existsSync(file) && readFileSync(file, 'utf8') === content) return []
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, content)
    return [`wrote ${path}`]
  })
}

function removeOthers(files: ReadonlyMap<string, string>): string[] {
  return CHART_FOLDERS.flatMap((folder) => {
    const stale = readdirSync(join(root, folder)).filter((name) => name !== 'README.md' && !files.has(`${folder}/${name}`))
    for (const name of stale) rmSync(join(root, folder, name))
    return stale.map((name) => `removed ${folder}/${name}`)
  })
}

try {
  const files = new Map([...chartFiles(charts), ...(await pictureFiles(charts))])
  const changes = [...write(files), ...removeOthers(files)]
  console.log(changes.length === 0 ? `${files.size} files are current` : changes.join('\n'))
} catch (error) {
  console.error(`xbbd: ${sentenceOf(error)}`)
  process.exitCode = codeOf(error) === 'XBBD_CHART_NOT_COMPILABLE' ? 65 : 70
}
