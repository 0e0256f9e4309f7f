/**
 * @packageDocumentation
 * The files of the page: what scripts/page.mjs made of page/ stands beside the program, and so do the pictures of the
 * charts. Names come from a browser, so only those are served that are in this list or look like a picture's.
 *
 *   /  index.html    /app.js, /style.css, /icon.svg    /charts.css: the look that all pictures carry
 *   /charts/NAME.svg   as `xbbd chart` hands them out, but for the sheet
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { packageRoot } from '../../io/native/load.js'
import { look } from '../../observe/picture/look.js'
import { codeOf, XbbdError } from '../../protocol/errors.js'

export interface Asset {
  readonly type: string
  readonly body: Buffer
}

const HTML = 'text/html; charset=utf-8'
const SCRIPT = 'text/javascript; charset=utf-8'
const SHEET = 'text/css; charset=utf-8'
const PICTURE = 'image/svg+xml'
const FILES: Readonly<Record<string, readonly [file: string, type: string]>> = {
  '/': ['index.html', HTML],
  '/app.js': ['app.js', SCRIPT],
  '/style.css': ['style.css', SHEET],
  '/icon.svg': ['icon.svg', PICTURE],
}
const CHART = /^\/charts\/([a-z]+(?:\.[A-Za-z]+)?\.svg)$/

/** The file behind a path; undefined when there is none. @throws XbbdError 66 when the page was not installed. */
export function assetOf(path: string): Asset | undefined {
  if (path === '/charts.css') return { type: SHEET, body: Buffer.from(look) }
  const chart = CHART.exec(path)?.[1]
  if (chart !== undefined) return withoutStyle(read(join(packageRoot(), 'visualizations', chart), PICTURE))
  if (!Object.hasOwn(FILES, path)) return undefined
  const [file, type] = FILES[path]
  const asset = read(fileURLToPath(new URL(`../../page/${file}`, import.meta.url)), type)
  if (asset !== undefined) return asset
  const sentence = `the page's ${file} is not where it was installed: install xbbd again`
  throw new XbbdError('XBBD_PAGE', sentence, { exitCode: 66 })
}

/** A sheet within a picture is against the page's policy; /charts.css has the same rules. */
function withoutStyle(picture: Asset | undefined): Asset | undefined {
  if (picture === undefined) return undefined
  const text = picture.body.toString('utf8').replace(/<style>[^]*?<\/style>\n/, '')
  return { ...picture, body: Buffer.from(text) }
}

function read(path: string, type: string): Asset | undefined {
  try {
    return { type, body: readFileSync(path) }
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  }
}
