/**
 * Makes the page that `xbbd run`, `xbbd view` and `xbbd demo --page` serve, from page/ into a folder beside the program:
 * one script, one sheet, one document. esbuild bundles it in a tenth of a second; nothing is minified, so that what a
 * browser runs can be read there.
 *
 *   page/src/main.tsx + preact ─► app.js        page/{index.html,style.css,icon.svg} as they are
 */
import { build } from 'esbuild'
import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(dirname(fileURLToPath(import.meta.url)))

/** What the page is made of; a stamp over these tells whether it is still true. */
export const PAGE_SOURCES = ['page', 'src/observe/page/types.ts', 'scripts/page.mjs', 'package-lock.json']

/** Writes the page into `folder`, which is made. */
export async function makePage(folder) {
  mkdirSync(folder, { recursive: true })
  await build({
    absWorkingDir: root,
    entryPoints: ['page/src/main.tsx'],
    outfile: join(folder, 'app.js'),
    bundle: true,
    format: 'esm',
    platform: 'browser',
    target: ['chrome115', 'firefox115', 'safari16'],
    jsx: 'automatic',
    jsxImportSource: 'preact',
    logLevel: 'warning',
  })
  for (const name of ['index.html', 'style.css', 'icon.svg']) copyFileSync(join(root, 'page', name), join(folder, name))
}
