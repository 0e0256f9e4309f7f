/**
 * @packageDocumentation
 * What `npm run bench -- …` understands. A mistake is one sentence and exit code 64; nothing is guessed.
 */
import { XbbdError } from '../src/protocol/errors.js'

const NAMES = ['a0', 'a1', 'a11', 'b', 'c', 'd', 'h', 'i', 'l', 'm', 'p', 'q', 'replay', 'v'] as const
export type BenchName = (typeof NAMES)[number]

export interface BenchOptions {
  /** Where to write all figures as JSON. */
  readonly json: string | undefined
  readonly only: ReadonlySet<BenchName>
  readonly quick: boolean
  /** Size of the journal that is replayed, in MiB. */
  readonly journalMiB: number | undefined
}

export const USAGE = `npm run bench -- [--json FILE] [--only ${NAMES.join(',')}] [--quick] [--journal MIB]
  a0 a1 a11  the plane on a null medium, with no, one and eleven pages copied per request (a: all three)
  b          an O_DIRECT file, beside fio
  c          the journal on against off
  d          memory and idle CPU with 1, 16 and 64 devices
  h          an honest front end beside a hostile one
  i          long requests: indirect descriptors against entries of eleven segments
  l          a disk under a rate limit: exactness, burst, its neighbour, what the limit costs
  m          neighbouring requests as one transfer against each alone
  p          the page open against closed, with 64 disks
  q          random reads on one queue, on four, and on four of two Workers
  replay     folding a fabricated journal of --journal MiB (256; quick: 32); through XState at most 32 of them
  v          the page over a journal of a million requests (quick: a hundred thousand)
`

/** Throws XbbdError for what it does not know. */
export function parseOptions(args: readonly string[]): BenchOptions {
  let json: string | undefined
  let only = new Set<BenchName>(NAMES)
  let quick = false
  let journalMiB: number | undefined
  for (let index = 0; index < args.length; index++) {
    const arg = args[index]
    if (arg === '--quick') quick = true
    else if (arg === '--json') json = operand(args, ++index, arg)
    else if (arg === '--journal') journalMiB = size(operand(args, ++index, arg))
    else if (arg === '--only') only = names(operand(args, ++index, arg))
    else throw misuse(`unknown argument ${arg}`)
  }
  return { json, only, quick, journalMiB }
}

function operand(args: readonly string[], index: number, of: string): string {
  const value = args[index]
  if (value === undefined) throw misuse(`${of} wants a value`)
  return value
}

function size(text: string): number {
  if (/^[1-9]\d{0,4}$/.test(text)) return Number(text)
  throw misuse(`--journal wants MiB, not ${JSON.stringify(text)}`)
}

function names(text: string): Set<BenchName> {
  const wanted = text.split(',').flatMap((name) => (name === 'a' ? ['a0', 'a1', 'a11'] : [name]))
  const unknown = wanted.find((name) => !(NAMES as readonly string[]).includes(name))
  if (unknown !== undefined) throw misuse(`no bench is called ${JSON.stringify(unknown)}`)
  return new Set(wanted as BenchName[])
}

const misuse = (what: string) => new XbbdError('USAGE', `${what}: usage:\n${USAGE}`, { exitCode: 64 })
