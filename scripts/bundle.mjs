/**
 * Makes of dist/ one small tree that runs without node_modules: what is installed on a host, and what the rig takes into
 * dom0, where a thousand small files over a 9p share would take longer to read than to run.
 *
 *   DIR/package.json                      name, version, build, "type": "module": where the program looks for itself
 *   DIR/cli/main.js                       the command `xbbd`; executable
 *   DIR/cli/run/queue-worker-main.js      a Worker, whole; so are page-worker-main.js and thread-main.js,
 *                                         the threads of the page and of the simulator
 *   DIR/cli/run/daemon-*.js, .cjs         what a daemon needs beyond main.js, whole: each file costs half a
 *                                         millisecond to load, and a killed daemon's guests wait for all of them; and as
 *                                         a script, whose compiled code can be kept (src/cli/run/code-cache.ts)
 *   DIR/cli/run/*.js                      what commands share; one that is not used is not loaded
 *   DIR/embedded/front/main.js            a process that `xbbd demo` starts
 *   DIR/build/Release/xbbd.node           the addon
 *   DIR/visualizations/*.svg              pictures of the charts, for `xbbd chart` and the page
 *   DIR/page/                             the page: a document, a script, a sheet
 *
 * Code that names a file beside itself lies two folders deep in dist/src/, and so do the shared parts here: relative
 * names hold in both. Nothing is minified: a stack trace in a report of a fault must name our functions.
 */
import { build } from 'esbuild'
import { createHash } from 'node:crypto'
import {
  chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync,
} from 'node:fs'
import { basename, dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { makePage } from './page.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Packages in CommonJS ask for `require` (and for their place, see `define`), which modules do not have. */
const REQUIRE = [
  "import { createRequire as createRequireForBundle } from 'node:module'",
  'const require = createRequireForBundle(import.meta.url)',
].join('\n')

/** What all bundles have in common. */
const OPTIONS = {
  absWorkingDir: root,
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  // For platform `node` the package gives CommonJS, of which nothing can be left out: six times as much.
  alias: { rxjs: join(root, 'node_modules/rxjs/dist/esm/index.js') },
  banner: { js: REQUIRE },
  define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
  logLevel: 'warning',
}

/**
 * Bundles files of dist/ into `destination`, with package.json and the addon beside them.
 * `entries` maps what a file is called there (without .js) to what it is in dist/; shared parts go to `chunks`.
 * @returns esbuild's account of what became of what.
 */
export async function bundle(destination, entries, chunks) {
  rmSync(destination, { recursive: true, force: true })
  mkdirSync(join(destination, 'build/Release'), { recursive: true })
  const { metafile } = await build({
    ...OPTIONS,
    entryPoints: Object.entries(entries).map(([out, file]) => ({ in: join('dist', file), out })),
    outdir: destination,
    chunkNames: join(chunks, '[name]-[hash]'),
    splitting: true,
    metafile: true,
  })
  const { name, version, license, type, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  copyFileSync(join(root, 'build/Release/xbbd.node'), join(destination, 'build/Release/xbbd.node'))
  // By this a running daemon knows that another program stands where it was started from (src/cli/upgrade/build.ts).
  const manifest = { name, version, license, type, engines, build: hashOf(destination) }
  writeFileSync(join(destination, 'package.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return metafile
}

/** 12 hexadecimal digits over the names and contents of all files below `directory`. */
function hashOf(directory) {
  const hash = createHash('sha256')
  for (const name of readdirSync(directory, { recursive: true }).sort()) {
    const path = join(directory, name)
    if (statSync(path).isFile()) hash.update(`${name}\0`).update(readFileSync(path))
  }
  return hash.digest('hex').slice(0, 12)
}

/** Puts into the file that became of `source` all shared parts that `main`, which is loaded before it, does not load. */
async function makeWhole(metafile, source, main) {
  const outputs = Object.entries(metafile.outputs)
  const fileOf = (entry) => outputs.find(([, { entryPoint }]) => entryPoint === entry)[0]
  const loaded = new Set()
  const load = (file) => {
    if (loaded.has(file)) return
    loaded.add(file)
    const statics = metafile.outputs[file].imports.filter(({ kind, external }) => kind === 'import-statement' && !external)
    for (const { path } of statics) load(path)
  }
  load(fileOf(main))
  const known = new Set([...loaded].map((file) => resolve(root, file)))
  const file = resolve(root, fileOf(source))
  const stays = {
    name: 'stays',
    setup: ({ onResolve }) =>
      onResolve({ filter: /^\.\.?\// }, ({ path, resolveDir, kind }) => {
        const isLoaded = known.has(resolve(resolveDir, path))
        return isLoaded || kind === 'dynamic-import' ? { path, external: true } : undefined
      }),
  }
  // Each part has asked for `require` already.
  await build({ ...OPTIONS, banner: {}, entryPoints: [file], outfile: file, allowOverwrite: true, plugins: [stays] })
  return file
}

/** Makes of the module `file`, which exports `names`, a script beside it, and leaves in its place what runs the script. */
async function makeScript(file, names) {
  const stays = {
    name: 'stays',
    setup: ({ onResolve }) => onResolve({ filter: /^\.\.?\// }, ({ path }) => ({ path, external: true })),
  }
  const { outputFiles: [{ text: code }], metafile } = await build({
    ...OPTIONS,
    banner: { js: '(function (module, exports, require, scriptUrl, scriptDirectory, importModule) {' },
    footer: { js: '})' },
    format: 'cjs',
    define: { 'import.meta.url': 'scriptUrl', 'import.meta.dirname': 'scriptDirectory' },
    entryPoints: [file],
    plugins: [stays],
    write: false,
    metafile: true,
  })
  // Scripts whose compiled code was kept cannot import by themselves (src/cli/run/code-cache.ts).
  const text = code.replace(/\bimport\((?=["'])/g, 'importModule(')
  const script = file.replace(/\.js$/, '.cjs')
  writeFileSync(script, text)
  const [{ imports }] = Object.values(metafile.outputs)
  const asked = imports.filter(({ kind, path }) => kind === 'require-call' && path.startsWith('.'))
  const shared = [...new Set(asked.map(({ path }) => path))]
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12)
  writeFileSync(file, [
    "import { runScript } from './code-cache.js'",
    ...shared.map((path, index) => `import * as shared${index} from '${path}'`),
    `const shared = { ${shared.map((path, index) => `'${path}': shared${index}`).join(', ')} }`,
    `const script = new URL('./${basename(script)}', import.meta.url).href`,
    `export const { ${names.join(', ')} } = runScript(script, '${hash}', shared)`,
    '',
  ].join('\n'))
}

/** Entries of threads, each whole; they stand beside whoever begins them, which is a shared part or the daemon. */
const THREADS = [
  ['cli/run/queue-worker-main.js', 'cli/run/queue-worker-main.js'],
  ['cli/page/page-worker-main.js', 'cli/run/page-worker-main.js'],
  ['cli/simulate/thread-main.js', 'cli/run/thread-main.js'],
]

/** Bundles the program itself. */
export async function bundleProgram(destination) {
  const pictures = readdirSync(join(root, 'visualizations')).filter((name) => name.endsWith('.svg'))
  const files = ['cli/main', 'cli/run/code-cache', 'embedded/front/main']
  const entries = Object.fromEntries(files.map((file) => [file, `src/${file}.js`]))
  const metafile = await bundle(destination, entries, 'cli/run')
  const daemon = await makeWhole(metafile, 'dist/src/cli/run/daemon.js', 'dist/src/cli/main.js')
  await makeScript(daemon, ['openLog', 'openWorld', 'serve'])
  for (const [source, file] of THREADS)
    await build({ ...OPTIONS, entryPoints: [join('dist/src', source)], outfile: join(destination, file) })
  chmodSync(join(destination, 'cli/main.js'), 0o755)
  mkdirSync(join(destination, 'visualizations'), { recursive: true })
  for (const name of pictures) copyFileSync(join(root, 'visualizations', name), join(destination, 'visualizations', name))
  await makePage(join(destination, 'page'))
}
