/**
 * @packageDocumentation
 * The measured half of bench/replay.ts: folds or judges one journal, alone in its process, and says how fast and with
 * how much memory, as one line of JSON; how far it has come goes to standard error.
 */
import { progressBetween } from '../src/cli/progress.js'
import { terminalOn } from '../src/cli/terminal.js'
import { openJournals } from '../src/journal/journal-files.js'
import { lintChains } from '../src/lint/lint.js'
import { replayJournals } from '../src/journal/replay.js'

const [path = '', mode = 'compiled'] = process.argv.slice(2)
const show = progressBetween(terminalOn(process.stdout, process.stderr, process.env))
const { requests, agrees } = mode === 'lint' ? judged() : folded()
// Of processor, its start and the collector's threads included: what others do on the machine does not count.
const { user, system } = process.cpuUsage()
const seconds = (user + system) / 1e6
const maxRssBytes = process.resourceUsage().maxRSS * 1024
process.stdout.write(JSON.stringify({ requests, seconds, maxRssBytes, agrees }))

function folded() {
  const report = replayJournals(openJournals(path), {
    compiledOnly: mode === 'compiled',
    onSegment: (_, segment, segments) => show(() => `folded (${mode}): segment ${segment} of ${segments}`),
  })
  return { requests: report.journals.reduce((sum, one) => sum + (one.requests ?? 0), 0), agrees: report.agrees }
}

/** By the linter: it agrees when it could read everything. */
function judged() {
  const { devices, problems } = lintChains(openJournals(path).chains)
  return { requests: devices.reduce((sum, one) => sum + one.requests, 0), agrees: problems.length === 0 }
}
