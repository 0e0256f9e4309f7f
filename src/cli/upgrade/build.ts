/**
 * @packageDocumentation
 * Which program is it: the version that people give it, and a hash over what it is made of, so that two builds of one
 * version are told apart. A running daemon knows what it was started from; what stands at the same place now is read
 * when somebody asks.
 *
 *   package.json      version, and in an installed tree (scripts/bundle.mjs) build: a hash over its files
 *   dist/, build/     in a working copy, the stamps that scripts/prepare.mjs leaves: hashes over their sources
 */
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, realpathSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { codeOf, XbbdError } from '../../protocol/errors.js'

export interface Build {
  readonly version: string
  /** 12 hexadecimal digits; empty when nothing says what it was built from. */
  readonly build: string
}

const STAMPS = ['dist/.xbbd-compiled', 'build/.xbbd-addon']

/** What `program` (a main file, or a link to one) is. Throws XbbdError 66 when it is no program of this kind. */
export function buildOf(program: string): Build {
  try {
    const root = rootOf(realpathSync(program))
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Partial<Build>
    return { version: String(manifest.version), build: manifest.build ?? stampOf(root) }
  } catch (cause) {
    const why = codeOf(cause) ?? 'no package.json stands above it'
    const sentence = `${program} is no program that could take over (${why}): name xbbd's main file with --program`
    throw new XbbdError('XBBD_UPGRADE_PROGRAM', sentence, { cause, exitCode: 66 })
  }
}

/** `0.1.0 (3f2a…)`. */
export function buildText({ version, build }: Build): string {
  return build === '' ? version : `${version} (${build})`
}

export function sameBuild(one: Build, other: Build): boolean {
  return one.version === other.version && one.build === other.build
}

function rootOf(file: string): string {
  for (let dir = dirname(file); ; dir = dirname(dir)) {
    if (existsSync(join(dir, 'package.json'))) return dir
    if (dir === dirname(dir)) throw new Error('no package.json')
  }
}

function stampOf(root: string): string {
  const stamps = STAMPS.map((name) => join(root, name)).filter((path) => existsSync(path))
  if (stamps.length === 0) return ''
  const hash = createHash('sha256')
  for (const path of stamps) hash.update(readFileSync(path))
  return hash.digest('hex').slice(0, 12)
}
