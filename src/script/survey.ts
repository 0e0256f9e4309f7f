/**
 * @packageDocumentation
 * What can be said of a script before it runs: how its world must be made, what it asks of a port, and whether it lies
 * in ways after which nobody can watch the laws of the data path.
 */
import type { DiskChange, Statement } from './ast.js'
import type { Ability, Setting } from './port.js'

/** Every statement, those of repeats too. */
export function* allOf(script: readonly Statement[]): Generator<Statement, void> {
  for (const statement of script) {
    yield statement
    if (statement.do === 'repeat') yield* allOf(statement.body)
  }
}

/** What may stand before the lines that say how the world is. */
export function isPreparation({ do: what }: Statement): boolean {
  return what === 'comment' || what === 'page' || what === 'fill'
}

/** What the port must know before it begins. */
export function settingOf(script: readonly Statement[]): Setting {
  const settings: Record<string, string> = {}
  const disk: DiskChange[] = []
  let abi: Setting['abi'] = 'x86_64'
  for (const statement of script) {
    if (statement.do === 'abi') abi = statement.abi
    else if (statement.do === 'setting') settings[statement.key] = statement.value
    else if (statement.do === 'disk') disk.push(statement)
    else if (!isPreparation(statement)) break
  }
  const all = [...allOf(script)]
  const outlives = all.some((statement) => statement.do === 'kill' || statement.do === 'stop')
  return { abi, disk, settings, outlives, lawful: !all.some(lies) }
}

/** Ids that stand for several requests, entries and indexes that change behind the back of those who watch. */
function lies(statement: Statement): boolean {
  if (statement.do === 'index' || statement.do === 'poke') return true
  if (statement.do !== 'put' && statement.do !== 'stage') return false
  return statement.request.id !== undefined || statement.request.raw !== undefined
}

/** The first statement that needs what is lacking. */
export function lackOf(script: readonly Statement[], lacks: ReadonlySet<Ability>): Statement | undefined {
  let connected = false
  for (const statement of allOf(script)) {
    for (const need of needsOf(statement)) if (lacks.has(need)) return statement
    if (statement.do !== 'connect' && statement.do !== 'rings') continue
    if (connected && lacks.has('queues')) return statement
    connected = true
  }
  return undefined
}

function needsOf(statement: Statement): Ability[] {
  switch (statement.do) {
    case 'keys':
    case 'key':
    case 'state':
    case 'rings':
      return ['xenstore']
    case 'connect':
      return [
        ...((statement.queues ?? 1) > 1 ? (['queues'] as const) : []),
        ...(statement.persistent ? (['mappings'] as const) : []),
      ]
    case 'expect': {
      const { what } = statement.expected
      return what === 'state' || what === 'key' ? ['xenstore'] : what === 'mapped' ? ['mappings'] : []
    }
    case 'stop':
      return ['processes']
    default:
      return []
  }
}
