/**
 * @packageDocumentation
 * XenStore's nodes as an immutable tree, changed by copying the path from the root:
 *
 *   before   root ─ a ─ b ─ c          after writing c:   root' ─ a' ─ b' ─ c'
 *                    └─ d                                          └─ d      (shared)
 *
 * So a snapshot is one pointer, which makes a transaction's start free. Each node has a generation, a number that is
 * given anew whenever its own content (value, permissions, names of children) changes and stays when only something
 * below it changes: transactions compare generations. The numbers come from one counter per store and never repeat.
 *
 * The tree also counts the nodes that each domain owns, for quotas. It checks no rights: rights.ts does.
 */
import type { XenStorePermission } from '../../ports/xenstore.js'
import { assert } from '../../protocol/errors.js'

/** One node. Never changed in place, its buffer neither. */
export interface TreeNode {
  readonly value: Buffer
  /** At least one entry: the owner. */
  readonly permissions: readonly XenStorePermission[]
  readonly children: ReadonlyMap<string, TreeNode>
  readonly generation: number
}

/** What can be set on a node. */
export type NodeContent = Partial<Pick<TreeNode, 'value' | 'permissions'>>

/** Gives every change its own number; shared by a tree and its forks. */
export interface GenerationCounter {
  last: number
}

/** Names from the root: `/` has none. */
export function namesOn(path: string): string[] {
  return path === '/' ? [] : path.slice(1).split('/')
}

/** A mutable handle on an immutable tree. */
export class Tree {
  #root: TreeNode
  readonly #owned: Map<number, number>
  readonly #counter: GenerationCounter

  constructor(root: TreeNode, owned: ReadonlyMap<number, number>, counter: GenerationCounter) {
    this.#root = root
    this.#owned = new Map(owned)
    this.#counter = counter
  }

  /** A tree with nothing but `/`, which belongs to domain 0. */
  static empty(): Tree {
    const root: TreeNode = {
      value: Buffer.alloc(0),
      permissions: [{ access: 'n', domid: 0 }],
      children: new Map(),
      generation: 1,
    }
    return new Tree(root, new Map([[0, 1]]), { last: 1 })
  }

  /** An independent handle on the same state. */
  fork(): Tree {
    return new Tree(this.#root, this.#owned, this.#counter)
  }

  find(path: string): TreeNode | undefined {
    let node: TreeNode | undefined = this.#root
    for (const name of namesOn(path)) node = node?.children.get(name)
    return node
  }

  /** How many nodes belong to a domain. */
  ownedBy(domid: number): number {
    return this.#owned.get(domid) ?? 0
  }

  /** Changes an existing node. */
  update(path: string, content: NodeContent): void {
    const node = this.find(path)
    assert(node, `updated node ${path} exists`)
    if (content.permissions) {
      this.#count(node.permissions[0].domid, -1)
      this.#count(content.permissions[0].domid, 1)
    }
    this.#root = this.#replaced(this.#root, namesOn(path), 0, { ...node, ...content, generation: this.#next() })
  }

  /** Adds a node below an existing one. */
  add(path: string, value: Buffer, permissions: readonly XenStorePermission[]): void {
    const names = namesOn(path)
    const parentNames = names.slice(0, -1)
    const parent = this.#nodeAt(parentNames)
    assert(parent && !parent.children.has(names[names.length - 1]), `${path} can be added`)
    const node: TreeNode = { value, permissions, children: new Map(), generation: this.#next() }
    const children = new Map(parent.children).set(names[names.length - 1], node)
    this.#count(permissions[0].domid, 1)
    this.#root = this.#replaced(this.#root, parentNames, 0, { ...parent, children, generation: this.#next() })
  }

  /** Removes a node, not `/`, with all below it. */
  remove(path: string): void {
    const names = namesOn(path)
    const parentNames = names.slice(0, -1)
    const parent = this.#nodeAt(parentNames)
    const node = this.find(path)
    assert(parent && node && names.length > 0, `${path} can be removed`)
    for (const [, gone] of descendants(path, node)) this.#count(gone.permissions[0].domid, -1)
    const children = new Map(parent.children)
    children.delete(names[names.length - 1])
    this.#root = this.#replaced(this.#root, parentNames, 0, { ...parent, children, generation: this.#next() })
  }

  #nodeAt(names: readonly string[]): TreeNode | undefined {
    return this.find(`/${names.join('/')}`)
  }

  #replaced(node: TreeNode, names: readonly string[], depth: number, replacement: TreeNode): TreeNode {
    if (depth === names.length) return replacement
    const child = node.children.get(names[depth])
    assert(child, 'the path to a replaced node exists')
    const copy = this.#replaced(child, names, depth + 1, replacement)
    return { ...node, children: new Map(node.children).set(names[depth], copy) }
  }

  #next(): number {
    return ++this.#counter.last
  }

  #count(domid: number, difference: number): void {
    this.#owned.set(domid, this.ownedBy(domid) + difference)
  }
}

/** The node itself and all below it, parents first, with their paths. */
export function* descendants(path: string, node: TreeNode): Generator<[string, TreeNode]> {
  const open: [string, TreeNode][] = [[path, node]]
  for (let entry = open.pop(); entry; entry = open.pop()) {
    yield entry
    const prefix = entry[0] === '/' ? '' : entry[0]
    for (const [name, child] of [...entry[1].children].reverse()) open.push([`${prefix}/${name}`, child])
  }
}
