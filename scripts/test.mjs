/**
 * `npm test [-- jest arguments]`: the whole suite, then one plain line `N passed, N failed`, which is what a
 * script that decides on a change reads. A run in which no test was executed counts as failed.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const scratch = mkdtempSync(join(tmpdir(), 'xbbd-test-'))
const report = join(scratch, 'report.json')
const args = [
  '--experimental-vm-modules',
  '--expose-gc',
  '--no-warnings',
  'node_modules/jest/bin/jest.js',
  '--json',
  `--outputFile=${report}`,
  ...process.argv.slice(2),
]
// jest prints its JSON to stdout as well as to the file; the human's report goes to stderr.
const result = spawnSync(process.execPath, args, { stdio: ['inherit', 'ignore', 'inherit'] })
let passed = 0
let failed = 0
try {
  const json = JSON.parse(readFileSync(report, 'utf8'))
  passed = json.numPassedTests
  failed = json.numFailedTests + json.numRuntimeErrorTestSuites
} catch {
  failed = 1
}
rmSync(scratch, { recursive: true, force: true })
process.stdout.write(`${passed} passed, ${failed} failed\n`)
process.exit(result.status === 0 && failed === 0 && passed > 0 ? 0 : 1)
