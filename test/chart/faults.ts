/**
 * @packageDocumentation
 * Faults planted in generated code, by text: each one a copy of the source with exactly one thing wrong. The exhaustive
 * comparison must catch every single one, or it proves nothing.
 *
 *   wrong state    `next = 3` becomes its neighbour        lost edge      the leaf returns -1
 *   lost action    a line `host.x(slot)` is gone           invented edge  a leaf without an edge gets one
 *   twice          the same line stands twice              order          two actions change places
 *   swapped guard  `if (host.g(slot))` asks `!host.g`
 */
export interface Fault {
  readonly kind: 'wrong state' | 'lost action' | 'twice' | 'swapped guard' | 'invented edge' | 'lost edge' | 'order'
  readonly line: number
  readonly source: string
}

type Mutation = { readonly kind: Fault['kind']; readonly lines: readonly string[]; readonly span?: number }

const ACTION = /^\s*host\.[\w$]+\(slot\);?\s*$/

function mutationsOf(line: string, following: string, states: number): Mutation[] {
  const goto = /^(\s*next = )(\d+)/.exec(line)
  if (goto) {
    const wrong = (Number(goto[2]) + 1) % states
    return [
      { kind: 'wrong state', lines: [`${goto[1]}${wrong};`] },
      { kind: 'lost edge', lines: ['return -1;'] },
    ]
  }
  if (line.includes('if (host.'))
    return [{ kind: 'swapped guard', lines: [line.replace('if (host.', 'if (!host.')] }]
  // What numbers that are no state or no event would come to: no run gets there.
  if (line.includes('// no such')) return []
  if (/^\s{8,}return -1/.test(line)) return [{ kind: 'invented edge', lines: ['next = 0;'] }]
  if (!ACTION.test(line)) return []
  const swapped: Mutation = { kind: 'order', lines: [following, line], span: 2 }
  const inOrder = ACTION.test(following) && following.trim() !== line.trim() ? [swapped] : []
  return [{ kind: 'lost action', lines: [] }, { kind: 'twice', lines: [line, line] }, ...inOrder]
}

/** Every fault that can be planted in this generated JavaScript. `states`: how many the chart has. */
export function faultsIn(javaScript: string, states: number): Fault[] {
  const lines = javaScript.split('\n')
  return lines.flatMap((line, at) =>
    mutationsOf(line, lines[at + 1] ?? '', states).map(({ kind, lines: replacement, span }) => {
      const mutated = [...lines.slice(0, at), ...replacement, ...lines.slice(at + (span ?? 1))]
      return { kind, line: at + 1, source: mutated.join('\n') }
    }),
  )
}
