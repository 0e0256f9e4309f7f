/**
 * @packageDocumentation
 * Runs jest-style suites in dom0: the contract suites of test/contract/ run there unchanged, over the real adapters. It is
 * the part of jest that they use: describe, test, test.each over a flat list, the four hooks, expect. Nothing runs side by
 * side, and each test has a bound.
 */
import { expect } from 'expect'

type Body = () => unknown

interface Group {
  readonly title: string
  readonly parent: Group | undefined
  readonly hooks: Record<'beforeAll' | 'afterAll' | 'beforeEach' | 'afterEach', Body[]>
  readonly members: (Group | Test)[]
}

interface Test {
  readonly title: string
  readonly body: Body
  readonly timeoutMs: number | undefined
}

/** One test's outcome, as it happens. */
export interface TestOutcome {
  readonly title: string
  readonly ms: number
  /** Why it failed. */
  readonly error: string | undefined
}

const group = (title: string, parent?: Group): Group => ({
  title,
  parent,
  hooks: { beforeAll: [], afterAll: [], beforeEach: [], afterEach: [] },
  members: [],
})

let open = group('')

/** Puts `describe`, `test`, `expect` and the hooks where suites look for them. */
export function installGlobals(): void {
  const describe = (title: string, body: Body) => {
    const outer = open
    open = group(title, outer)
    outer.members.push(open)
    body()
    open = outer
  }
  const test = (title: string, body: Body, timeoutMs?: number) => void open.members.push({ title, body, timeoutMs })
  // As jest does: `%s` in a title is the next argument of the row.
  type RowBody = (...row: unknown[]) => unknown
  test.each = (rows: readonly unknown[]) => (title: string, body: RowBody, timeoutMs?: number) => {
    for (const row of rows) {
      const values = Array.isArray(row) ? (row as unknown[]) : [row]
      const names = [...values]
      test(title.replace(/%s/g, () => String(names.shift())), () => body(...values), timeoutMs)
    }
  }
  const hook = (name: keyof Group['hooks']) => (body: Body) => void open.hooks[name].push(body)
  const hooks = Object.fromEntries(
    (['beforeAll', 'afterAll', 'beforeEach', 'afterEach'] as const).map((name) => [name, hook(name)]),
  )
  Object.assign(globalThis, { describe, test, it: test, expect, ...hooks })
}

/** Runs everything that `load` declares, in order. */
export async function runSuite(
  load: () => Promise<unknown>, timeoutMs: number, told: (outcome: TestOutcome) => void,
): Promise<void> {
  const root = group('')
  open = root
  await load()
  await runGroup(root, '', timeoutMs, told)
}

async function runGroup(
  { hooks, members, ...self }: Group, path: string, timeoutMs: number, told: (outcome: TestOutcome) => void,
): Promise<void> {
  const title = [path, self.title].filter(Boolean).join(' › ')
  const broken = await failureOf(() => inOrder(hooks.beforeAll), timeoutMs)
  for (const member of members) {
    if ('members' in member) {
      await runGroup(member, title, timeoutMs, told)
      continue
    }
    const began = performance.now()
    const limit = member.timeoutMs ?? timeoutMs
    const error = broken ?? (await runTest({ hooks, members, ...self }, member, limit))
    told({ title: [title, member.title].filter(Boolean).join(' › '), ms: performance.now() - began, error })
  }
  const error = await failureOf(() => inOrder(hooks.afterAll), timeoutMs)
  if (error !== undefined) told({ title: `${title} › afterAll`, ms: 0, error })
}

async function runTest(inGroup: Group, test: Test, timeoutMs: number): Promise<string | undefined> {
  const lineage: Group[] = []
  for (let at: Group | undefined = inGroup; at; at = at.parent) lineage.unshift(at)
  const before = lineage.flatMap(({ hooks }) => hooks.beforeEach)
  const after = lineage.reverse().flatMap(({ hooks }) => hooks.afterEach)
  const failure = await failureOf(() => inOrder([...before, test.body]), timeoutMs)
  const late = await failureOf(() => inOrder(after), timeoutMs)
  return failure ?? late
}

async function inOrder(bodies: readonly Body[]): Promise<void> {
  for (const body of bodies) await body()
}

async function failureOf(work: () => Promise<void>, timeoutMs: number): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`not done within ${timeoutMs / 1000} s`)), timeoutMs)
  })
  try {
    await Promise.race([work(), late])
    return undefined
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error)
  } finally {
    clearTimeout(timer)
  }
}
