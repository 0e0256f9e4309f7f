/**
 * Makes of dist/ one small tree that runs without node_modules: what is installed on a host, and what the rig takes into
 * dom0, where a thousand small files over a 9p share would take longer to read than to run.
 *
 *   DIR/package.json                      name, version, "type": "module": where the program looks for itself
 *   DIR/cli/main.js                       the command `xbbd`; executable
 *   DIR/cli/run/queue-worker-main.js      a Worker's first file, which the program loads from beside itself
 *   DIR/cli/run/*.js                      what several of them share; a command that is not used is not loaded
 *   DIR/embedded/front/main.js            a process that `xbbd demo` starts
 *   DIR/build/Release/xbbd.node           the addon
 *   DIR/visualizations/*.svg              pictures of the charts, for `xbbd chart`
 *
 * Code that names a file beside itself lies two folders deep in dist/src/, and so do the shared parts here: relative
 * names hold in both. Nothing is minified: a stack trace in a report of a fault must name our functions.
 */
import { build } from 'esbuild'
import { chmodSync, copyFileSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** Packages in CommonJS ask for `require` (and for their place, see `define`), which modules do not have. */
const REQUIRE = [
  "import { createRequire as createRequireForBundle } from 'node:module'",
  'const require = createRequireForBundle(import.meta.url)',
].join('\n')

/**
 * Bundles files of dist/ into `destination`, with package.json and the addon beside them.
 * `entries` maps what a file is called there (without .js) to what it is in dist/; shared parts go to `chunks`.
 */
export async function bundle(destination, entries, chunks) {
  rmSync(destination, { recursive: true, force: true })
  mkdirSync(join(destination, 'build/Release'), { recursive: true })
  await build({
    absWorkingDir: root,
    entryPoints: Object.entries(entries).map(([out, file]) => ({ in: join('dist', file), out })),
    outdir: destination,
    chunkNames: join(chunks, '[name]-[hash]'),
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    banner: { js: REQUIRE },
    define: { __dirname: 'import.meta.dirname', __filename: 'import.meta.filename' },
    logLevel: 'warning',
  })
  const { name, version, license, type, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'))
  const manifest = JSON.stringify({ name, version, license, type, engines }, null, 2)
  writeFileSync(join(destination, 'package.json'), `${manifest}\n`)
  copyFileSync(join(root, 'build/Release/xbbd.node'), join(destination, 'build/Release/xbbd.node'))
}

/** Bundles the program itself. */
export async function bundleProgram(destination) {
  const pictures = readdirSync(join(root, 'visualizations')).filter((name) => name.endsWith('.svg'))
  const files = ['cli/main', 'cli/run/queue-worker-main', 'embedded/front/main']
  await bundle(destination, Object.fromEntries(files.map((file) => [file, `src/${file}.js`])), 'cli/run')
  chmodSync(join(destination, 'cli/main.js'), 0o755)
  mkdirSync(join(destination, 'visualizations'), { recursive: true })
  for (const name of pictures) copyFileSync(join(root, 'visualizations', name), join(destination, 'visualizations', name))
}
