/**
 * `npm run fuzz:native [-- --seconds N --target NAME --seed N --minimise]`: the native code that takes bytes or numbers
 * from a guest, under libFuzzer with the address and undefined-behaviour sanitizers (clang), N seconds (60) for each
 * harness of native/fuzz/. Without clang it says how to get it, and as root on Debian gets it.
 *
 *   native/fuzz/NAME.cc + main.cc + what it judges ─► build-fuzz/NAME ─► corpus: build-fuzz/corpus/NAME + test/fuzz/corpus/native/NAME
 *
 * The kept corpus (test/fuzz/corpus/native) is small; `--minimise` makes it anew of all that was found. Whatever breaks a
 * harness is left in build-fuzz/, with the command that repeats it; it becomes a test.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { HEADERS_MISSING, headersDirectory } from './node-headers.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const built = join(root, 'build-fuzz')

/** For harnesses that call the addon's functions as JavaScript does: with the headers of Node, and nothing of Node. */
const RUNTIME = ['native/fuzz/runtime.cc', 'native/owners.cc']
const headers = (nodedir) => [
  '-I', join(nodedir, 'include/node'), '-I', join(root, 'node_modules/node-addon-api'),
  '-DNAPI_VERSION=9', '-DNAPI_DISABLE_CPP_EXCEPTIONS', '-DNODE_ADDON_API_DISABLE_DEPRECATED',
]
/** What each harness is linked with, besides itself. */
const TARGETS = {
  ring: ['native/fuzz/no-owners.cc'],
  grants: ['native/fuzz/no-owners.cc'],
  copiers: ['native/grant-copy.cc', 'native/grant-map.cc', '-Wl,--wrap=ioctl'],
  crc32: ['native/crc32.cc'],
  engine: ['native/inline.cc', 'native/blocking-io.cc', 'native/fuzz/no-owners.cc'],
  slots: [],
  owners: [...RUNTIME, '-Wl,--wrap=munmap'],
  socket: ['native/socket.cc', ...RUNTIME],
  stream: ['native/stream.cc', ...RUNTIME],
  rings: ['native/ring.cc', ...RUNTIME, '-Wl,--wrap=munmap'],
  pollers: ['native/poller.cc', 'native/fuzz/loop.cc', ...RUNTIME],
}
const FLAGS = ['-std=c++17', '-O1', '-g', '-Wall', '-fno-omit-frame-pointer', '-fsanitize=fuzzer,address,undefined',
  '-fno-sanitize-recover=undefined']
const LONGEST_INPUT = 4096

const fail = (sentence) => {
  process.stderr.write(`xbbd: ${sentence}\n`)
  process.exit(1)
}
const say = (sentence) => process.stderr.write(`fuzz: ${sentence}\n`)

function options() {
  try {
    const { values } = parseArgs({
      options: {
        seconds: { type: 'string', default: '60' }, target: { type: 'string' }, seed: { type: 'string', default: '0' },
        minimise: { type: 'boolean', default: false },
      },
    })
    if (values.target !== undefined && !(values.target in TARGETS)) throw new Error(`no target is called ${values.target}: ${Object.keys(TARGETS).join(', ')}`)
    if (!/^\d+$/.test(values.seconds) || !/^\d+$/.test(values.seed)) throw new Error('--seconds and --seed take whole numbers')
    return values
  } catch (error) {
    return fail(`${error.message}: npm run fuzz:native -- [--seconds N] [--target NAME] [--seed N] [--minimise]`)
  }
}

/** clang++ as Debian and others name it. */
function compiler() {
  const names = ['clang++', ...[19, 18, 17, 16, 15, 14].map((version) => `clang++-${version}`)]
  const find = () => names.find((name) => !spawnSync(name, ['--version']).error)
  if (find() === undefined && process.getuid?.() === 0 && !spawnSync('apt-get', ['--version']).error) {
    say('there is no clang here; installing it (apt-get install clang libclang-rt-14-dev) …')
    spawnSync('apt-get', ['update', '-qq'])
    spawnSync('apt-get', ['install', '-y', '-qq', '--no-install-recommends', 'clang', 'libclang-rt-14-dev'], {
      stdio: ['ignore', 'ignore', 'inherit'], env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    })
  }
  return find() ?? fail('there is no clang here: install the packages clang and libclang-rt-14-dev (Debian 12), or compiler-rt (Fedora)')
}

function build(clang, name) {
  const parts = TARGETS[name]
  const node = parts.includes(RUNTIME[0]) ? headers(headersDirectory() ?? fail(HEADERS_MISSING)) : []
  const args = [...FLAGS, ...node, `native/fuzz/${name}.cc`, 'native/fuzz/main.cc', ...parts, '-lpthread', '-o', join(built, name)]
  if (spawnSync(clang, args, { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] }).status !== 0) fail(`native/fuzz/${name}.cc does not compile`)
}

/** @returns whether nothing was found. */
function run(name, { seconds, seed, minimise }) {
  const kept = join(root, 'test/fuzz/corpus/native', name)
  const grown = join(built, 'corpus', name)
  for (const directory of [kept, grown]) mkdirSync(directory, { recursive: true })
  const prefix = join(built, `${name}-`)
  const common = [`-max_len=${LONGEST_INPUT}`, `-artifact_prefix=${prefix}`, '-timeout=10', '-rss_limit_mb=2048']
  const args = [...common, `-max_total_time=${seconds}`, `-seed=${seed}`, '-print_final_stats=1', grown, kept]
  const { status, stderr } = spawnSync(join(built, name), args, { cwd: root, encoding: 'utf8', maxBuffer: 1 << 28 })
  if (status !== 0) {
    process.stdout.write(stderr.slice(-8000))
    const found = readdirSync(built).filter((file) => file.startsWith(`${name}-`))
    for (const file of found) process.stdout.write(`repeat it: build-fuzz/${name} build-fuzz/${file}\n`)
    return false
  }
  const last = stderr.match(/cov: \d+ ft: \d+/g)?.at(-1) ?? ''
  const runs = /number_of_executed_units: (\d+)/.exec(stderr)?.[1]
  process.stdout.write(`${name}: ${runs} runs in ${seconds} s, ${last}, nothing found\n`)
  if (minimise) {
    const small = join(built, 'minimised', name)
    rmSync(small, { recursive: true, force: true })
    mkdirSync(small, { recursive: true })
    spawnSync(join(built, name), [...common, '-merge=1', small, kept, grown], { cwd: root })
    rmSync(kept, { recursive: true })
    mkdirSync(kept, { recursive: true })
    spawnSync('sh', ['-c', `ls -S -r "${small}" | head -n 64 | while read f; do cp "${small}/$f" "${kept}/"; done`])
    process.stdout.write(`${name}: ${readdirSync(kept).length} of ${readdirSync(small).length} inputs kept\n`)
  }
  return true
}

const chosen = options()
const clang = compiler()
mkdirSync(built, { recursive: true })
const names = chosen.target === undefined ? Object.keys(TARGETS) : [chosen.target]
let sound = true
for (const name of names) {
  say(`${name}: building`)
  build(clang, name)
  if (!existsSync(join(built, name))) fail(`${name} was not built`)
  say(`${name}: ${chosen.seconds} s`)
  sound = run(name, chosen) && sound
}
process.exit(sound ? 0 : 1)
