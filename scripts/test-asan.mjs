/**
 * `npm run test:asan [-- jest patterns]`: the addon once more, built with gcc's address and undefined-behaviour
 * sanitizers, under the tests that use it. The tree in build-asan/ is this one by links, but for the addon and for dist/
 * (a copy, because modules know themselves by where they really are); nothing that ships knows of it.
 *
 *   native/*.cc ─► build-asan/build/Release/xbbd.node        LD_PRELOAD libasan ─► jest, in one process ─► reports
 *                                                             (asan-node.mjs: programs that it starts run without)
 *
 * A report by a sanitizer is a failure. So is a leak that was allocated in the addon's own code; those of Node and V8,
 * which never free all they have, are not ours and are left out by who called malloc.
 */
import { spawn, spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { HEADERS_MISSING, headersDirectory } from './node-headers.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const tree = join(root, 'build-asan')
const objects = join(tree, 'objects')
const addon = join(tree, 'build/Release/xbbd.node')
const reports = join(tree, 'report')

const PATTERNS = [
  'test/native/', 'contract/grants-embedded', 'contract/event-port-embedded', 'contract/host-embedded',
  'contract/medium-file', 'contract/medium-instant', 'contract/medium-open', 'unit/segment-table',
]
const FLAGS = [
  '-std=c++17', '-O1', '-g', '-fno-omit-frame-pointer', '-fPIC', '-Wall', '-Wextra', '-Wno-unused-parameter',
  '-Wno-cast-function-type', '-fsanitize=address,undefined', '-fno-sanitize-recover=undefined',
  '-DNAPI_VERSION=9', '-DNAPI_DISABLE_CPP_EXCEPTIONS', '-DNODE_ADDON_API_DISABLE_DEPRECATED',
]
/** Frames of a leak, from malloc on, that say whose it is. */
const FRAMES_OF_OWNER = 4

const fail = (sentence) => {
  process.stderr.write(`xbbd: ${sentence}\n`)
  process.exit(1)
}

const nodedir = headersDirectory() ?? fail(HEADERS_MISSING)
const runtime = ['libasan.so', 'libubsan.so'].map((name) => {
  const found = spawnSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).stdout?.trim() ?? ''
  if (!found.startsWith('/')) fail(`g++ has no ${name}: install the package libgcc-12-dev (Debian), or libasan (Fedora)`)
  return found
})

function linkTree() {
  rmSync(join(tree, 'dist'), { recursive: true, force: true })
  mkdirSync(objects, { recursive: true })
  mkdirSync(dirname(addon), { recursive: true })
  for (const name of readdirSync(root)) {
    if (['build', 'build-asan', 'dist', '.git'].includes(name) || existsSync(join(tree, name))) continue
    symlinkSync(join(root, name), join(tree, name))
  }
  cpSync(join(root, 'dist'), join(tree, 'dist'), { recursive: true })
}

const newest = (paths) => Math.max(...paths.map((path) => (existsSync(path) ? statSync(path).mtimeMs : Infinity)))

async function compile() {
  const sources = readdirSync(join(root, 'native')).filter((name) => name.endsWith('.cc'))
  const shared = newest(readdirSync(join(root, 'native')).filter((name) => name.endsWith('.h')).map((name) => join(root, 'native', name)))
  const include = ['-I', join(nodedir, 'include/node'), '-I', join(root, 'node_modules/node-addon-api')]
  const waiting = sources.filter((name) => {
    const object = join(objects, `${name}.o`)
    return !existsSync(object) || statSync(object).mtimeMs < Math.max(shared, newest([join(root, 'native', name)]))
  })
  if (waiting.length > 0) process.stderr.write(`xbbd: building ${waiting.length} files of the addon with sanitizers …\n`)
  const one = async () => {
    for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
      const args = [...FLAGS, ...include, '-c', join(root, 'native', name), '-o', join(objects, `${name}.o`)]
      const code = await new Promise((resolve) => spawn('g++', args, { stdio: 'inherit' }).once('exit', resolve))
      if (code !== 0) fail(`native/${name} does not compile`)
    }
  }
  await Promise.all(cpus().map(one))
  const args = ['-shared', '-fsanitize=address,undefined', ...sources.map((name) => join(objects, `${name}.o`)), '-lpthread', '-o', addon]
  if (spawnSync('g++', args, { stdio: 'inherit' }).status !== 0) fail('the addon does not link')
}

/** What a sanitizer wrote: whole reports of errors (warnings are none), and of leaks those that the addon made. */
function findings() {
  return readdirSync(tree).filter((name) => name.startsWith('report.')).flatMap((name) => {
    const text = readFileSync(join(tree, name), 'utf8')
    if (!text.includes('LeakSanitizer')) return /ERROR: AddressSanitizer|runtime error/.test(text) ? [text] : []
    const leaks = text.split('\n\n').filter((block) => /^(Direct|Indirect) leak/m.test(block))
    const ofAddon = (block) => block.split('\n').filter((line) => /^ +#\d/.test(line)).slice(0, FRAMES_OF_OWNER)
      .some((line) => line.includes('xbbd.node') || line.includes('/native/'))
    return leaks.filter(ofAddon)
  })
}

linkTree()
await compile()
for (const name of readdirSync(tree).filter((entry) => entry.startsWith('report.'))) rmSync(join(tree, name))
const patterns = process.argv.length > 2 ? process.argv.slice(2) : PATTERNS
/** Node with the sanitizers' runtime: a script, for what is started by its path and passes no environment. */
const node = join(tree, 'node')
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`
writeFileSync(node, `#!/bin/sh
LD_PRELOAD=${quoted(runtime.join(':'))} XBBD_ASAN_NODE=${quoted(node)} \\
  exec ${quoted(process.execPath)} --import ${quoted(join(root, 'scripts/asan-node.mjs'))} "$@"
`, { mode: 0o755 })
const jest = ['--experimental-vm-modules', '--expose-gc', '--no-warnings', 'node_modules/jest/bin/jest.js', '--runInBand',
  '--testTimeout=120000', ...patterns]
const { status } = spawnSync(node, jest, {
  cwd: tree, stdio: 'inherit',
  env: {
    ...process.env,
    // Node's own handlers stay; V8 reserves what it never uses, so a limit of memory would mean nothing.
    ASAN_OPTIONS: `detect_leaks=1:leak_check_at_exit=1:handle_segv=0:allocator_may_return_null=1:log_path=${reports}:exitcode=0`,
    UBSAN_OPTIONS: `print_stacktrace=1:log_path=${reports}`,
  },
})
const found = findings()
for (const report of found) process.stdout.write(`${report}\n`)
process.stdout.write(`sanitizers: ${found.length === 0 ? 'nothing found' : `${found.length} reports`}; tests: ${status === 0 ? 'passed' : 'FAILED'}\n`)
process.exit(status === 0 && found.length === 0 ? 0 : 1)
