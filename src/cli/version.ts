/**
 * @packageDocumentation
 * The program's version, from the one place where it is written: package.json. It is read when somebody asks, never
 * copied into the code, so `xbbd --version`, the daemon's log and the header of every journal cannot disagree.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../io/native/load.js'

/** The version that package.json names. */
export function packageVersion(): string {
  const text = readFileSync(join(packageRoot(), 'package.json'), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
