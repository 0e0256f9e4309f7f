/**
 * @packageDocumentation
 * `npm run man`: writes packaging/man/ again from pages.txt, the commands and the settings (src/cli/manual/), and says
 * what changed.
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { manualPages } from '../src/cli/manual/pages.js'
import { buildProgram } from '../src/cli/program.js'
import { terminalOn } from '../src/cli/terminal.js'
import { packageVersion } from '../src/cli/version.js'
import { packageRoot } from '../src/io/native/load.js'

const folder = join(packageRoot(), 'packaging/man')
const program = buildProgram({ terminal: terminalOn(process.stdout, process.stderr, process.env), status: 0 })
const pages = manualPages(readFileSync(join(folder, 'pages.txt'), 'utf8'), program, packageVersion())
const changed = [...pages].filter(([name, text]) => {
  const file = join(folder, name)
  if (existsSync(file) && readFileSync(file, 'utf8') === text) return false
  writeFileSync(file, text)
  return true
})
console.log(changed.length === 0 ? `${pages.size} files are current` : changed.map(([name]) => `wrote ${name}`).join('\n'))
