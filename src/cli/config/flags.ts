/**
 * @packageDocumentation
 * The flags of `xbbd run`, made from the schema: one per setting, taking the same text as the file. Nothing is parsed
 * here; the texts go to `loadSettings` as its topmost layer, so that a flag is checked, bounded and worded exactly as
 * a line of the file is.
 */
import { Option } from 'commander'
import { describeKind } from './kinds.js'
import { flagOf, type Layers } from './load.js'
import { settingKeys, settingOf, type SettingKey } from './schema.js'

/** One option per setting, in the schema's order, in a help group of their own. */
export function settingOptions(): Option[] {
  return settingKeys.map((key) => optionOf(key).helpGroup('Settings (each wins over the configuration file):'))
}

/** Picks the settings out of what commander parsed. */
export function flagsFrom(parsed: Readonly<Record<string, unknown>>): NonNullable<Layers['flags']> {
  const flags: Partial<Record<SettingKey, string>> = {}
  for (const key of settingKeys) {
    const text = parsed[optionOf(key).attributeName()]
    if (typeof text === 'string') flags[key] = text
  }
  return flags
}

function optionOf(key: SettingKey): Option {
  const { kind, fallback, doc } = settingOf(key)
  const byDefault = fallback === '' ? '' : `; default ${fallback}`
  return new Option(`${flagOf(key)} <${kind.type}>`, `${doc} [${describeKind(kind)}${byDefault}]`)
}
