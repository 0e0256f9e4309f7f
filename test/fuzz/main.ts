/**
 * @packageDocumentation
 * `npm run fuzz [-- --target NAME --seconds N --seed S --keep | --repeat FILE]`: the parsers of TypeScript under a fuzzer
 * that looks at what code an input reaches (fuzzer.ts), N seconds (30) for each target. What breaks one is written to a
 * file, with the command that repeats it. `--keep` adds what was found of new code to the kept corpora (corpus/NAME).
 */
import { mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { packageRoot } from '../../src/io/native/load.js'
import { sentenceOf } from '../../src/protocol/errors.js'
import { keepCorpus, readCorpus } from './corpus.js'
import { fuzz } from './fuzzer.js'
import { TARGETS } from './targets.js'

const USAGE = `npm run fuzz -- [--target NAME] [--seconds N] [--seed S] [--keep]
npm run fuzz -- --target NAME --repeat FILE
  targets: ${TARGETS.map(({ name }) => name).join(', ')}
`

function usage(sentence: string): never {
  process.stderr.write(`fuzz: ${sentence}: usage:\n${USAGE}`)
  return process.exit(64)
}

function options() {
  try {
    return parseArgs({
      options: {
        target: { type: 'string' }, seconds: { type: 'string', default: '30' }, seed: { type: 'string', default: '1' },
        keep: { type: 'boolean', default: false }, repeat: { type: 'string' },
      },
    }).values
  } catch (error) {
    return usage(sentenceOf(error))
  }
}

const { target: name, seconds, seed, keep, repeat } = options()
const chosen = TARGETS.filter((target) => name === undefined || target.name === name)
if (chosen.length === 0) usage(`no target is called ${name}`)
if (!/^\d+$/.test(seconds) || !/^\d+$/.test(seed)) usage('--seconds and --seed take whole numbers')
if (repeat !== undefined) {
  if (name === undefined) usage('--repeat wants its --target')
  chosen[0].run(readFileSync(repeat))
  process.stdout.write(`${name}: nothing happens with ${repeat}\n`)
  process.exit(0)
}

let failed = false
for (const target of chosen) {
  process.stderr.write(`fuzz: ${target.name} for ${seconds} s …\n`)
  const end = performance.now() + Number(seconds) * 1000
  const result = fuzz(target, { seed: Number(seed), corpus: readCorpus(target.name), until: () => performance.now() > end })
  const reached = `${result.functions} functions and ${result.reached} bytes of source reached, ${result.corpus.length} inputs`
  process.stdout.write(`${target.name}: ${result.runs} runs, ${reached}${result.found ? '' : ', nothing found'}\n`)
  if (keep && !result.found) keepCorpus(target.name, result.corpus)
  if (!result.found) continue
  failed = true
  const file = join(mkdtempSync(join(tmpdir(), 'xbbd-fuzz-')), target.name)
  writeFileSync(file, result.found.input)
  const { error } = result.found
  process.stdout.write(`  ${error instanceof Error ? error.stack : String(error)}\n`)
  process.stdout.write(`  repeat it: npm run fuzz -- --target ${target.name} --repeat ${file}\n`)
}
mkdirSync(join(packageRoot(), 'test/fuzz/corpus'), { recursive: true })
process.exit(failed ? 1 : 0)
