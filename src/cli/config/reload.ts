/**
 * @packageDocumentation
 * What SIGHUP may do. The file is read again with the flags the daemon was started with; a file with a problem changes
 * nothing at all. What differs is split by the schema: what a running daemon can take at once (devices attached from
 * now on use it), and what waits for the next start. The daemon logs both, by name.
 */
import { settingKeys, settingOf, type SettingKey, type Settings } from './schema.js'

/** Differences between the settings in force and those just read. */
export interface ReloadPlan {
  /** What is in force after the reload: the old settings with every reloadable difference. */
  readonly settings: Settings
  readonly changed: readonly SettingKey[]
  /** Differences that only a restart can bring into force. */
  readonly waiting: readonly SettingKey[]
}

/** Compares and merges; pure. */
export function planReload(current: Settings, read: Settings): ReloadPlan {
  const differing = settingKeys.filter((key) => current[key] !== read[key])
  const changed = differing.filter((key) => settingOf(key).reloadable)
  const taken = Object.fromEntries(changed.map((key) => [key, read[key]]))
  return {
    settings: { ...current, ...taken },
    changed,
    waiting: differing.filter((key) => !settingOf(key).reloadable),
  }
}
