/**
 * Compiled code that is kept for the next process: used when it is of this very script, and never a reason to fail.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const module = new URL('../../src/cli/run/code-cache.js', import.meta.url).href
let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'xbbd-code-'))
  writeFileSync(join(dir, 'later.mjs'), "export const later = 'and later'")
  writeFileSync(join(dir, 'part.cjs'), `(function (module, exports, require, url, directory, importModule) {
    exports.load = async () => (await importModule('./later.mjs')).later
    const { word } = require('./shared.js')
    exports.say = () => word + ' ' + require('node:path').basename(directory) + ' ' + url.endsWith('part.cjs')
  })`)
})
afterEach(() => rmSync(dir, { recursive: true }))

/** Runs the script in a process of its own, says what it said, and keeps its code. */
function life(hash: string, keep = dir): string {
  const program = `
    import { keepCode, keepCodeIn, runScript } from ${JSON.stringify(module)}
    keepCodeIn(${JSON.stringify(keep)})
    const { say, load } = runScript(${JSON.stringify(pathToFileURL(join(dir, 'part.cjs')).href)}, '${hash}', { './shared.js': { word: 'hello' } })
    console.log(say() + ' ' + await load() + '; ' + (keepCode() ?? 'no complaint'))`
  return execFileSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' }).trim()
}
const said = (): string => `hello ${dir.split('/').at(-1)} true and later`
const kept = () => readdirSync(dir).filter((name) => name.startsWith('code-'))

test('the code of one life is there for the next, which keeps nothing anew; another script has a name of its own', () => {
  expect([life('aaaa'), kept()]).toEqual([`${said()}; no complaint`, ['code-aaaa']])
  const before = readFileSync(join(dir, 'code-aaaa'))
  expect(life('aaaa')).toBe(`${said()}; no complaint`)
  expect(readFileSync(join(dir, 'code-aaaa')).equals(before)).toBe(true)
  life('bbbb')
  expect(kept()).toEqual(['code-bbbb'])
})

test('code that V8 refuses is made anew', () => {
  writeFileSync(join(dir, 'code-aaaa'), 'no code at all, and longer than a header of V8 is: '.repeat(20))
  expect(life('aaaa')).toBe(`${said()}; no complaint`)
  expect(readFileSync(join(dir, 'code-aaaa'), 'latin1')).not.toMatch(/^no code/)
  life('aaaa')
})

test('where nothing can be kept the script runs as ever, and it is said why', () => {
  expect(life('aaaa', join(dir, 'missing'))).toMatch(/^hello .* true and later; the compiled code is not kept for the next start: .*ENOENT/)
  expect(existsSync(join(dir, 'missing'))).toBe(false)
})
