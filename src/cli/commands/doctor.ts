/**
 * @packageDocumentation
 * `xbbd doctor`: is everything there that the daemon needs on this machine, and what is to be done about what is not.
 * One line per check; the status is 0 when nothing stands in the way.
 */
import type { Command } from 'commander'
import type { Finding } from '../doctor/judge.js'
import { json, type CommandContext } from './context.js'

interface Options {
  readonly config?: string
  readonly json?: boolean
}

const EXAMPLES = `
As root it judges for the service's user (xbbd), otherwise for whoever asks.
Ends with 0 when nothing stands in the way, 69, 77 (rights) or 78 (configuration) when something does.

Examples:
  xbbd doctor
  sudo -u xbbd xbbd doctor                     also tries what is tried, with that user's rights
  xbbd doctor --json | jq -r '.findings[] | select(.level == "problem") | .cure'
`

/** Registers the command. */
export function addDoctor(program: Command, context: CommandContext): void {
  program
    .command('doctor')
    .description('check what the daemon needs on this machine, and say how to mend it')
    .option('-c, --config <file>', 'the configuration (default: /etc/xbbd/xbbd.conf)')
    .option('--json', 'print JSON')
    .addHelpText('after', EXAMPLES)
    .action(async (options: Options) => {
      const [{ collectFacts }, { judge, statusOf }] = await Promise.all([
        import('../doctor/collect.js'),
        import('../doctor/judge.js'),
      ])
      const facts = await collectFacts(options.config)
      const findings = judge(facts)
      context.status = statusOf(findings)
      const report = { world: facts.world, user: facts.person.name, findings }
      context.terminal.out(options.json ? json(report) : findingsText(findings))
    })
}

/** The report for people: `problem  …: what to do`. */
export function findingsText(findings: readonly Finding[]): string {
  const lines = findings.map(({ level, sentence, cure }) => {
    return `${level.padEnd(7)}  ${sentence}${cure === undefined ? '' : `\n         → ${cure}`}\n`
  })
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length
  const sum = `${plural(count('problem'), 'problem')}, ${plural(count('warning'), 'warning')}`
  return `${lines.join('')}${sum}\n`
}

const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`
