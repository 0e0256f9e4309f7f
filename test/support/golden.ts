/**
 * @packageDocumentation
 * Golden files: a text that a test produces, compared with the one checked in below test/golden/. With UPDATE_GOLDEN=1
 * the file is written instead, and the difference is reviewed like any other. A missing file fails.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** Compiled tests lie in dist/test/support; the files are in the source tree. */
const folder = join(dirname(fileURLToPath(import.meta.url)), '../../../test/golden')

/** Expects `text` to be what test/golden/`name` holds. */
export function expectGolden(name: string, text: string): void {
  const file = join(folder, name)
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync(dirname(file), { recursive: true })
    writeFileSync(file, text)
  }
  expect(text).toBe(readFileSync(file, 'utf8'))
}
