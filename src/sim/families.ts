/**
 * @packageDocumentation
 * The families of scenarios that `xbbd simulate` plays, in the order in which it names them. A family that is not in
 * this table does not exist; one that is gets all seeds of every run.
 */
import type { Family } from './family.js'
import { daemonFamily } from './daemon/family.js'
import { hostileFamily, queueFamily } from './queue/family.js'

/** Each family; what its plans hold is known to it alone. */
export const FAMILIES: readonly Family[] = [queueFamily, hostileFamily, daemonFamily]

/** Undefined when there is none of that name. */
export function familyNamed(name: string): Family | undefined {
  return FAMILIES.find((family) => family.name === name)
}
