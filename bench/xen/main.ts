/**
 * @packageDocumentation
 * `npm run bench:xen`: xbbd beside xen-blkback and QEMU's qdisk under a real Xen, interleaved in one boot. The emulator
 * has no truth about time, so what counts are ratios within that boot, and the counts per request beside them.
 *
 *   build the rig ─► package ─► boot: rounds × back ends × six jobs ─► medians, ratios, counts ─► table, --json
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { renderTable } from '../../src/cli/table.js'
import { packageRoot } from '../../src/io/native/load.js'
import { boot, buildRig, Interrupted } from '../../test/xen/host/boot.js'
import { makeShare, prepareArchives, RUN_PLAN } from '../../test/xen/host/stage.js'
import { describe, machine } from '../machine.js'
import { BACKENDS, type Backend, type Plan, type Told } from './measure.js'
import { report } from './report.js'

const RESULTS = join(packageRoot(), 'test/tmp/bench-xen')
/** One job and what belongs to it may take so long; only a hang takes longer. */
const SILENCE_S = 300

const USAGE = `
npm run bench:xen [-- options]
  --rounds N        rounds of all back ends (2)        --seconds N   seconds per job (4)
  --warm N          unmeasured seconds per job before it (3)
  --only NAME       ${BACKENDS.join(' | ')}; may be repeated
  --json FILE       write every figure there
  --help            this

Examples:
  npm run bench:xen
  npm run bench:xen -- --only xbbd --only xen-blkback --rounds 1
`

interface Options extends Plan {
  readonly json: string | undefined
  readonly help: boolean
}

/** @throws Error with a sentence for what it does not know. */
function readOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: [...args],
    options: {
      rounds: { type: 'string', default: '2' },
      seconds: { type: 'string', default: '4' },
      warm: { type: 'string', default: '3' },
      only: { type: 'string', multiple: true, default: [] },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
  const whole = (name: string, text: string): number => {
    if (/^[1-9]\d{0,2}$/.test(text)) return Number(text)
    throw new Error(`--${name} is ${JSON.stringify(text)}, but it must be a whole number from 1 to 999`)
  }
  const unknown = values.only.find((name) => !(BACKENDS as readonly string[]).includes(name))
  if (unknown !== undefined) throw new Error(`no back end is called ${JSON.stringify(unknown)}: ${BACKENDS.join(', ')}`)
  return {
    rounds: whole('rounds', values.rounds),
    seconds: whole('seconds', values.seconds),
    warmSeconds: whole('warm', values.warm),
    only: values.only.length === 0 ? BACKENDS : (values.only as Backend[]),
    json: values.json,
    help: values.help,
  }
}

async function run({ json, help, ...plan }: Options): Promise<number> {
  if (help) process.stdout.write(USAGE)
  if (help) return 0
  await buildRig()
  rmSync(RESULTS, { recursive: true, force: true })
  mkdirSync(RESULTS, { recursive: true })
  const prepared = await prepareArchives(join(RESULTS, 'archives'), { main: 'bench/xen/dom0.js' })
  const share = join(RESULTS, 'share')
  makeShare(share, prepared, plan)
  const told: Told[] = []
  const { failure } = await boot<Told>(
    { share, command: RUN_PLAN, machine: [], verbose: false, silenceOf: () => SILENCE_S },
    (event) => {
      told.push(event)
      if (event.event === 'say') process.stderr.write(`xbbd: ${event.text}\n`)
    },
  ).finally(() => rmSync(prepared.directory, { recursive: true, force: true }))
  const { sections, rows } = report(told)
  process.stdout.write(`${describe(machine())}\n`)
  for (const { title, columns, table } of sections) process.stdout.write(`\n${title}\n${renderTable(columns, table)}`)
  if (json !== undefined) writeFileSync(json, `${JSON.stringify({ plan, rows }, undefined, 2)}\n`)
  if (failure === undefined) return 0
  process.stderr.write(`xbbd: the bench did not run to its end: ${failure}\n`)
  return 1
}

function optionsOrUsage(args: readonly string[]): Options | undefined {
  try {
    return readOptions(args)
  } catch (error) {
    process.stderr.write(`xbbd: ${error instanceof Error ? error.message : String(error)}\n${USAGE}`)
    return undefined
  }
}

const options = optionsOrUsage(process.argv.slice(2))
try {
  process.exitCode = options === undefined ? 64 : await run(options)
} catch (error) {
  process.stderr.write(`xbbd: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = error instanceof Interrupted ? error.exitCode : 1
}
