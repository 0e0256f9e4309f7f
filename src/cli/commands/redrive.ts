/**
 * @packageDocumentation
 * `xbbd redrive`: a recorded guest's requests again, in their order and overlap, at a fresh back end on an image of
 * one's own, so that a bug report becomes a test. A journal holds no guest data: writes carry bytes that follow from
 * sector and order alone, the same that the demo's guest writes. Ends with 1 when something was answered otherwise.
 */
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { CoreSettings } from '../../core/queue-core.js'
import type { JournalChain } from '../../journal/chain.js'
import { SECTOR_BYTES } from '../../protocol/blkif.js'
import { XbbdError } from '../../protocol/errors.js'
import { segmentsBeyond } from '../../protocol/validate.js'
import type { RedriveReport } from '../redrive/drive.js'
import { withProgress } from '../progress.js'
import { formatCount } from '../units.js'
import { json, type CommandContext } from './context.js'

interface Options {
  readonly onto: string
  readonly journal?: string
  readonly force?: boolean
  readonly json?: boolean
}

const EXAMPLES = `
Examples:
  xbbd demo --record /tmp/run
  xbbd redrive /tmp/run/run/journal --onto /tmp/again.img && cmp /tmp/run/disk.img /tmp/again.img
  xbbd redrive report/ --journal vbd/5/51712/q0 --onto /tmp/again.img --json
`

/** Registers the command. */
export function addRedrive(program: Command, context: CommandContext): void {
  program
    .command('redrive')
    .description("send a recorded guest's requests again, at a fresh back end on an image of one's own")
    .argument('<path>', 'a journal file, or a folder of them')
    .requiredOption('--onto <image>', 'the disk: a file that is made, of the size of the recorded disk')
    .option('-j, --journal <name>', 'the queue whose requests are meant, when there are several')
    .option('--force', 'empty the image if it is there')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action((path: string, options: Options) => redrive(context, path, options))
}

async function redrive(context: CommandContext, path: string, options: Options): Promise<void> {
  const { terminal } = context
  const { openJournals, chainsToFold } = await import('../../journal/journal-files.js')
  const chains = oneQueue(chainsToFold(openJournals(path), path, options.journal))
  const settings = await settingsOf(chains)
  const report = await withStage(chains, settings, options, terminal)
  if (report.findingCount > 0) context.status = 1
  if (options.json) return terminal.out(json(report))
  const beginning = report.complete ? '' : '; the beginning of the recording is gone, and with it what was written then'
  terminal.out(`${formatCount(report.requests)} requests put, ${formatCount(report.answers)} answered${beginning}\n`)
  for (const finding of report.findings) terminal.note(finding)
  const more = report.findingCount - report.findings.length
  if (more > 0) terminal.note(`and ${more} findings more`)
}

/** All runs of the one queue that is meant. */
function oneQueue(chains: readonly JournalChain[]): readonly JournalChain[] {
  const queues = chains.filter(({ identity }) => identity.kind === 'queue')
  const names = [...new Set(queues.map(({ journal }) => journal))]
  if (names.length === 1) return queues
  const which = names.length === 0 ? 'there is no queue in it' : `name one of ${names.join(', ')} with --journal`
  throw new XbbdError('XBBD_REDRIVE', `redrive sends the requests of one queue: ${which}`, { exitCode: 64 })
}

async function settingsOf(chains: readonly JournalChain[]): Promise<CoreSettings> {
  const { readCoreSettings } = await import('../../journal/replay-settings.js')
  const settings = readCoreSettings(chains[0].identity.settings)
  if (settings.ok) return settings.settings
  throw new XbbdError('XBBD_REDRIVE', `${chains[0].journal}: ${settings.sentence}`, { exitCode: 65 })
}

async function withStage(
  chains: readonly JournalChain[], settings: CoreSettings, { onto, force = false }: Options,
  terminal: CommandContext['terminal'],
): Promise<RedriveReport> {
  const [{ Stage, makeImage }, { drive }] = await Promise.all([
    import('../demo/stage.js'),
    import('../redrive/drive.js'),
  ])
  if (!force && existsSync(onto) && statSync(onto).size > 0) {
    const sentence = `${onto} is there and not empty: name another image, or empty this one with --force`
    throw new XbbdError('XBBD_REDRIVE', sentence, { exitCode: 73 })
  }
  makeImage(onto, settings.disk.sectorCount * SECTOR_BYTES, true)
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-redrive-'))
  const stage = new Stage(dir, () => undefined)
  let requests = 0
  try {
    const work = async () => {
      await stage.startHost()
      const { readOnly, maxSegments } = settings.disk
      const beyond = segmentsBeyond(settings.disk)
      const { daemon, control } = await stage.startDaemon(['--requests-indirect-segments', String(beyond)])
      const onProgress = (count: number) => void (requests = count)
      const { slots } = settings
      const segments = Math.max(maxSegments, beyond)
      const report = await drive({ chains, image: onto, readOnly, slots, segments, stage, control, onProgress })
      await control.call('stop', { mode: 'close' })
      const status = await daemon.ended
      if (status !== 0) throw daemon.failure(`ended with status ${status}`)
      return report
    }
    return await withProgress(terminal, () => `${formatCount(requests)} requests put`, work())
  } finally {
    await stage.end()
    rmSync(dir, { recursive: true, force: true })
  }
}
