/**
 * From a fresh clone to something that runs: install, build the addon, compile. Plain JavaScript, because it
 * runs before anything is installed; it uses nothing but Node. Each step keeps a stamp (the hash of what it
 * read) below node_modules/, build/ or dist/ and is skipped in silence while the stamp still holds, so that
 * `npm test` twice in a row costs a fraction of a second the second time.
 *
 *   npm ci      when package.json or the lock file changed
 *   node-gyp    when native/, binding.gyp or the Node version changed; offline, against the headers beside
 *               the running Node, whatever the home directory holds
 *   tsc         when a source, tsconfig.json or the lock file changed; into dist/
 *   page        when page/ or what it is bundled with changed; into dist/src/page/
 */
import { createHash } from 'node:crypto'
import { spawnSync } from 'node:child_process'
import {
  existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, realpathSync, rmSync, statSync, writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HEADERS_MISSING, headersDirectory } from './node-headers.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
process.chdir(root)

/** All files below `path`, sorted, so that the hash does not depend on the directory's order. */
function filesBelow(path) {
  if (!existsSync(path)) return []
  if (statSync(path).isFile()) return [path]
  return readdirSync(path)
    .sort()
    .flatMap((name) => filesBelow(join(path, name)))
}

function hashOf(paths, salt = '') {
  const hash = createHash('sha256').update(salt)
  for (const file of paths.flatMap(filesBelow)) hash.update(file).update('\0').update(readFileSync(file))
  return hash.digest('hex')
}

function stampHolds(stamp, hash) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hash
}

function fail(sentence) {
  process.stderr.write(`xbbd: ${sentence}\n`)
  process.exit(1)
}

function run(title, command, args, mayFail = false) {
  const began = Date.now()
  process.stderr.write(`xbbd: ${title} …\n`)
  const result = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 1 << 28 })
  if (result.error || result.status !== 0) {
    process.stderr.write(`${result.stdout ?? ''}${result.stderr ?? ''}`)
    if (mayFail) return false
    fail(`${title} failed (${result.error?.message ?? `exit ${result.status}`}): ${command} ${args.join(' ')}`)
  }
  process.stderr.write(`xbbd: ${title} done in ${((Date.now() - began) / 1000).toFixed(1)} s\n`)
  return true
}

function nodeVersionIsServed() {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) fail(`needs Node 20.19 or newer, this is ${process.version}`)
}

/** `npm ci` empties node_modules before it fills it: behind a link that would be somebody else's. */
function refuseSharedModules() {
  if (!lstatSync('node_modules', { throwIfNoEntry: false })?.isSymbolicLink()) return
  const target = existsSync('node_modules') ? `to ${realpathSync('node_modules')}` : 'that leads nowhere'
  fail(
    `the packages do not fit package-lock.json, and node_modules is a link ${target}, which npm ci would empty: ` +
      `run \`npm ci\` where it leads, or remove the link (rm ${join(root, 'node_modules')}) and call this again`,
  )
}

function install() {
  const stamp = 'node_modules/.xbbd-installed'
  const hash = hashOf(['package.json', 'package-lock.json'], process.version)
  if (stampHolds(stamp, hash)) return
  refuseSharedModules()
  run('installing packages', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'])
  writeFileSync(stamp, hash)
}

function buildAddon() {
  const stamp = 'build/.xbbd-addon'
  const hash = hashOf(['native', 'binding.gyp', 'node_modules/node-addon-api/package.json'], process.version)
  if (stampHolds(stamp, hash) && existsSync('build/Release/xbbd.node')) return
  for (const [tool, pkg] of [['g++', 'g++'], ['make', 'make'], ['python3', 'python3']])
    if (spawnSync(tool, ['--version']).error) fail(`${tool} is missing and the addon needs it: install the package ${pkg}`)
  rmSync('build', { recursive: true, force: true })
  const nodeGyp = 'node_modules/node-gyp/bin/node-gyp.js'
  const nodedir = headersDirectory() ?? fail(HEADERS_MISSING)
  const args = [nodeGyp, 'rebuild', `--nodedir=${nodedir}`, '--jobs=max']
  run('building the addon', process.execPath, args)
  mkdirSync('build', { recursive: true })
  writeFileSync(stamp, hash)
}

function compile() {
  const stamp = 'dist/.xbbd-compiled'
  const sources = ['src', 'test', 'bench', 'scripts', 'tsconfig.json', 'package-lock.json']
  const hash = hashOf(sources)
  if (stampHolds(stamp, hash)) return
  rmSync('dist', { recursive: true, force: true })
  // `npm run charts` mends generated code that does not fit a changed chart; its type errors must not stop it.
  const forCharts = process.env.npm_lifecycle_event === 'precharts'
  if (!run('compiling', process.execPath, ['node_modules/@typescript/native/bin/tsc', '-p', '.'], forCharts)) return
  mkdirSync('dist', { recursive: true })
  writeFileSync(stamp, hash)
}

async function bundlePage() {
  // Loaded now, because esbuild is not there before `install`.
  const { makePage, PAGE_SOURCES } = await import('./page.mjs')
  const stamp = 'dist/src/page/.xbbd-bundled'
  const hash = hashOf(PAGE_SOURCES)
  if (stampHolds(stamp, hash)) return
  try {
    await makePage(join(root, 'dist/src/page'))
  } catch (error) {
    fail(`the page cannot be bundled: ${error.message}`)
  }
  writeFileSync(stamp, hash)
}

nodeVersionIsServed()
install()
buildAddon()
compile()
await bundlePage()
