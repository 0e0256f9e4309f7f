/**
 * @packageDocumentation
 * Writes a compiled chart as TypeScript that a person reads and V8 inlines: a `switch` over the state, in it one over
 * the event, guards and actions as constant method calls on the host. It is checked in, so that a review sees what a
 * change of the chart does to the data path, and nothing is evaluated from a string at run time.
 *
 *   switch (host.state[slot]) {
 *     case 1: // Taken
 *       switch (event) {
 *         case 4: // admitted
 *           if (host.bringsData(slot)) { host.queueCopyFromGuest(slot); next = 5 } else …
 *
 * Two switches, because V8 makes a jump table only of cases that lie close together: states do; pairs of state and
 * event do not and would be compared one after the other. Events of a state that do the same share one body. The state
 * column is written after the actions: an action sees the state that is being left.
 */
import { DIGEST_CONSTANT, DIGEST_FACTOR, DIGEST_ROTATION } from './digest.js'
import type { CompiledChart, Decision } from './compile.js'

/** `request` → `Request`, `back-end` → `BackEnd`: the generated names' middle part. */
export function pascal(name: string): string {
  return name.replace(/(^|[^A-Za-z0-9]+)([A-Za-z0-9])/g, (_, __, letter: string) => letter.toUpperCase())
}

const camel = (name: string) => pascal(name).replace(/^./, (letter) => letter.toLowerCase())
const hex = (value: number) => `0x${value.toString(16)}`
const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`
const property = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : quote(name))

function statements(decision: Decision, states: readonly string[], indent: string): string[] {
  if (decision.kind === 'none') return [`${indent}return -1`]
  const lines = decision.actions.map((action) => `${indent}host.${action}(slot)`)
  if (decision.kind === 'goto') return [...lines, `${indent}next = ${decision.state} // ${states[decision.state]}`]
  return [...lines, ...question(decision, states, indent)]
}

function question(decision: Decision & { kind: 'ask' }, states: readonly string[], indent: string): string[] {
  const { guard, yes, no } = decision
  const lines = [`${indent}if (host.${guard}(slot)) {`, ...statements(yes, states, `${indent}  `)]
  if (no.kind !== 'ask' || no.actions.length > 0)
    return [...lines, `${indent}} else {`, ...statements(no, states, `${indent}  `), `${indent}}`]
  const [first, ...rest] = question(no, states, indent)
  return [...lines, `${indent}} else ${first.trimStart()}`, ...rest]
}

/** What one state does: a case of the outer switch. */
function cases(compiled: CompiledChart, state: number): string[] {
  const bodies = new Map<string, string[]>()
  compiled.cells[state].forEach((decision, event) => {
    if (decision.kind === 'none') return
    const body = statements(decision, compiled.states, '          ').join('\n')
    const label = `        case ${event}: // ${compiled.events[event]}`
    bodies.set(body, [...(bodies.get(body) ?? []), label])
  })
  if (bodies.size === 0) return [`    case ${state}: // ${compiled.states[state]}`, '      return -1']
  const complete = compiled.cells[state].every(({ kind }) => kind !== 'none')
  return [
    `    case ${state}: // ${compiled.states[state]}`,
    '      switch (event) {',
    ...[...bodies].flatMap(([body, labels]) => [...labels, body, '          break']),
    '        default:',
    complete ? '          return -1 // no such event' : '          return -1',
    '      }',
    '      break',
  ]
}

function numbering(name: string, names: readonly string[]): string[] {
  const entries = names.map((entry, number) => `  ${property(entry)}: ${number},`)
  return [`export const ${name} = {`, ...entries, '} as const']
}

function nameList(name: string, names: readonly string[]): string[] {
  return [`export const ${name}: readonly string[] = [`, ...names.map((entry) => `  ${quote(entry)},`), ']']
}

function hostInterface(compiled: CompiledChart, type: string): string[] {
  return [
    `/** What chart ${compiled.name} asks of whoever holds its slots. Guards change nothing; actions do not step. */`,
    `export interface ${type}Host {`,
    '  /** One product state per slot; zero is the initial one. */',
    '  readonly state: Uint8Array',
    '  /** Every transition taken is mixed into it (see compile/digest.ts). */',
    '  digest: number',
    ...compiled.guards.map((guard) => `  ${guard}(slot: number): boolean`),
    ...compiled.actions.map((action) => `  ${action}(slot: number): void`),
    '}',
  ]
}

function stepFunction(compiled: CompiledChart, type: string): string[] {
  const rotation = `(mixed << ${DIGEST_ROTATION}) | (mixed >>> ${32 - DIGEST_ROTATION})`
  return [
    '/**',
    ' * One event for one slot. The state column is written after the actions.',
    ' * @returns the new state, or -1 when the chart has no edge for this event in this state (nothing changed).',
    ' */',
    `export function step${type}(host: ${type}Host, slot: number, event: number): number {`,
    '  let next: number',
    '  switch (host.state[slot]) {',
    ...compiled.states.flatMap((_, state) => cases(compiled, state)),
    '    default:',
    '      return -1 // no such state',
    '  }',
    '  host.state[slot] = next',
    `  const mixed = Math.imul(host.digest ^ ((slot << 16) | (event << 8) | next), ${hex(DIGEST_FACTOR)})`,
    `  host.digest = ((${rotation}) + ${hex(DIGEST_CONSTANT)}) | 0`,
    '  return next',
    '}',
  ]
}

/** The whole generated file of a compiled chart. */
export function emitStep(compiled: CompiledChart): string {
  const type = pascal(compiled.name)
  const name = camel(compiled.name)
  return [
    '/**',
    ' * @packageDocumentation',
    ` * Generated from chart ${compiled.name} by \`npm run charts\`: not to be edited, but to be read.`,
    ` * ${compiled.states.length} states, ${compiled.events.length} events, ${compiled.guards.length} guards, ` +
      `${compiled.actions.length} actions.`,
    ' */',
    '',
    '/** Identity of the chart this was generated from; compared at start. */',
    `export const ${name}ChartHash = '${compiled.hash}'`,
    '',
    '/** Numbers of the product states, as the state column holds them. */',
    ...numbering(`${type}State`, compiled.states),
    ...nameList(`${name}StateNames`, compiled.states),
    '',
    '/** Numbers of the events. */',
    ...numbering(`${type}Event`, compiled.events),
    ...nameList(`${name}EventNames`, compiled.events),
    '',
    ...hostInterface(compiled, type),
    '',
    ...stepFunction(compiled, type),
    '',
  ].join('\n')
}
