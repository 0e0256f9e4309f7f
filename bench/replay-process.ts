/**
 * @packageDocumentation
 * The measured half of bench/replay.ts: folds one journal, alone in its process, and says how fast and with how much
 * memory, as one line of JSON.
 */
import { openJournals } from '../src/journal/journal-files.js'
import { replayJournals } from '../src/journal/replay.js'

const [path = '', mode = 'compiled'] = process.argv.slice(2)
const report = replayJournals(openJournals(path), { compiledOnly: mode === 'compiled' })
// Of processor, its start and the collector's threads included: what others do on the machine does not count.
const { user, system } = process.cpuUsage()
const seconds = (user + system) / 1e6
const requests = report.journals.reduce((sum, one) => sum + (one.requests ?? 0), 0)
const maxRssBytes = process.resourceUsage().maxRSS * 1024
process.stdout.write(JSON.stringify({ requests, seconds, maxRssBytes, agrees: report.agrees }))
