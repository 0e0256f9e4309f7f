/**
 * @packageDocumentation
 * From flags, a file and defaults to settings. A flag wins over the file, the file over the default; where each value
 * came from is kept, for `xbbd config show`. All problems are gathered, never only the first, and while there is one no
 * settings exist: a daemon that half understood its configuration would be worse than none.
 *
 *   text of each layer ─► known key? ─► parseValue ─► cross-checks over the whole ─► settings | problems
 */
import { readFileSync, statSync } from 'node:fs'
import { sentenceOf, codeOf, XbbdError } from '../../protocol/errors.js'
import { crossCheck } from './cross-check.js'
import { parseValue, type Value } from './kinds.js'
import { parseConfig } from './parse.js'
import { isSettingKey, settingKeys, settingOf, type SettingKey, type Settings } from './schema.js'
import { nearest } from '../../protocol/nearest.js'

/** Where the packages put it; read when it exists and no other file is named. */
export const DEFAULT_FILE = '/etc/xbbd/xbbd.conf'

const FILE_BYTES_MAX = 1024 * 1024

/** One thing that is wrong, as `xbbd config check` prints it. */
export interface Problem {
  /** `/etc/xbbd/xbbd.conf:12`, `--journal-size`, `run.dir`: where to look. */
  readonly where: string
  readonly sentence: string
}

/** Which layer a value came from: `default`, `--journal-size`, `/etc/xbbd/xbbd.conf:12`. */
export type Origins = Readonly<Record<SettingKey, string>>

export type Loaded =
  | { readonly ok: true; readonly settings: Settings; readonly origins: Origins }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** What to load: a file's path and text (undefined: no file), and flags by key. */
export interface Layers {
  readonly file?: { readonly path: string; readonly content: string } | undefined
  readonly flags?: Readonly<Partial<Record<SettingKey, string>>>
}

interface Candidate {
  readonly text: string
  readonly origin: string
}

/** Layers the sources and checks everything. Pure. */
export function loadSettings(layers: Layers): Loaded {
  const problems: Problem[] = []
  const candidates = new Map<SettingKey, Candidate>()
  if (layers.file) gatherFile(layers.file.path, layers.file.content, candidates, problems)
  for (const key of settingKeys) {
    const text = layers.flags?.[key]
    if (text !== undefined) candidates.set(key, { text, origin: flagOf(key) })
  }
  const values: Partial<Record<SettingKey, Value>> = {}
  const origins: Partial<Record<SettingKey, string>> = {}
  for (const key of settingKeys) {
    const { text, origin } = candidates.get(key) ?? { text: settingOf(key).fallback, origin: 'default' }
    const parsed = parseValue(settingOf(key).kind, text)
    if (!parsed.ok) problems.push({ where: origin, sentence: `${key} = ${JSON.stringify(text)}: ${parsed.why}` })
    else values[key] = parsed.value
    origins[key] = origin
  }
  const contradictions = crossCheck(values as Partial<Settings>)
  problems.push(...contradictions.map(({ key, sentence }) => ({ where: where(key), sentence })))
  if (problems.length > 0) return { ok: false, problems: problems.sort((a, b) => lineOf(a) - lineOf(b)) }
  return { ok: true, settings: values as Settings, origins: origins as Origins }

  function where(key: SettingKey): string {
    return origins[key] === 'default' ? key : (origins[key] ?? key)
  }
}

/** The flag of `xbbd run` that sets `key`. */
export function flagOf(key: SettingKey): string {
  return `--${key.replaceAll('.', '-')}`
}

/** Problems of the file come first, in its order; then those of flags and defaults. */
function lineOf({ where }: Problem): number {
  return Number(/:(\d+)$/.exec(where)?.[1] ?? Number.MAX_SAFE_INTEGER)
}

function gatherFile(path: string, content: string, candidates: Map<SettingKey, Candidate>, problems: Problem[]) {
  const { entries, problems: syntax } = parseConfig(content)
  for (const { line, sentence } of syntax) problems.push({ where: `${path}:${line}`, sentence })
  for (const { key, text, line } of entries) {
    const where = `${path}:${line}`
    if (!isSettingKey(key)) {
      const guess = nearest(key, settingKeys)
      const hint = guess === undefined ? '`xbbd config show` lists all settings' : `did you mean ${guess}?`
      problems.push({ where, sentence: `unknown setting ${JSON.stringify(key)}: ${hint}` })
      continue
    }
    const earlier = candidates.get(key)
    if (earlier) problems.push({ where, sentence: `${key} is set a second time; the first is ${earlier.origin}` })
    else candidates.set(key, { text, origin: where })
  }
}

/**
 * Reads the named file, or the default one if it exists.
 * @throws XbbdError 66 when a named file cannot be read, 78 when it is too large to be a configuration.
 */
export function readConfigFile(path: string | undefined): Layers['file'] {
  const name = path ?? DEFAULT_FILE
  try {
    if (statSync(name).size > FILE_BYTES_MAX)
      throw new XbbdError('XBBD_CONFIG_SIZE', `${name} has more than 1M: no configuration of xbbd`, { exitCode: 78 })
    return { path: name, content: readFileSync(name, 'utf8') }
  } catch (cause) {
    if (cause instanceof XbbdError) throw cause
    if (path === undefined && codeOf(cause) === 'ENOENT') return undefined
    const sentence = `cannot read the configuration ${name}: ${sentenceOf(cause)}`
    throw new XbbdError('XBBD_CONFIG_READ', sentence, { cause, exitCode: 66 })
  }
}

/** Settings, or one XbbdError (78) that names the first problem and how many more there are. */
export function settingsOrThrow(loaded: Loaded): { settings: Settings; origins: Origins } {
  if (loaded.ok) return loaded
  const [first, ...more] = loaded.problems
  const rest = more.length === 0 ? '' : ` (and ${more.length} more: \`xbbd config check\` lists all)`
  throw new XbbdError('XBBD_CONFIG', `${first.where}: ${first.sentence}${rest}`, { exitCode: 78 })
}
