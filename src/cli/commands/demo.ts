/**
 * @packageDocumentation
 * `xbbd demo`: the main job on this machine, without Xen and without root. Exit status 0 only if every byte and every
 * transition agreed.
 */
import { Option } from 'commander'
import type { Command } from 'commander'
import type { DemoBreak } from '../demo/run-demo.js'
import type { CommandContext } from './context.js'

interface Options {
  readonly break?: DemoBreak
  readonly nbd?: string
  readonly page?: boolean
  readonly record?: string
  readonly seconds: string
}

const IMAGE_BYTES = 256 * 1024 * 1024

const EXAMPLES = `
Examples:
  xbbd demo                          a guest's disk from image to replay
  xbbd demo --break answer           the same with a planted fault, which must be found: ends with 1
  xbbd demo --record /tmp/run        the same, and image and journal are kept
  xbbd demo --page                   stays at work: the page shows it in a browser
  xbbd demo --nbd /tmp/disk.sock     stays up: any NBD client may be the guest
`

/** Registers the command. */
export function addDemo(program: Command, context: CommandContext): void {
  const breaks: readonly DemoBreak[] = ['read', 'answer', 'journal']
  program
    .command('demo')
    .description('show the main job without Xen: host, daemon and guest on this machine')
    .addOption(new Option('--break <what>', 'plant a fault, which must be found').choices(breaks))
    .option('--nbd <socket>', "serve the guest's disk to NBD clients until a signal comes")
    .addOption(new Option('--page', 'stay at work and show it in a browser until a signal comes').conflicts('nbd'))
    .addOption(
      new Option('--record <dir>', 'keep image and journal, for replay and redrive').conflicts(['nbd', 'page']),
    )
    .option('--seconds <n>', 'seconds of each of the three loads', '3')
    .addHelpText('after', EXAMPLES)
    .action(async ({ seconds, ...options }: Options) => {
      const { runDemo } = await import('../demo/run-demo.js')
      const { terminal } = context
      const given = { ...options, seconds: Math.max(0.2, Number(seconds) || 3), imageBytes: IMAGE_BYTES }
      const findings = await runDemo(given, terminal)
      for (const finding of findings) terminal.note(finding)
      if (findings.length > 0) context.status = 1
      else terminal.out('every byte and every transition agreed\n')
    })
}
