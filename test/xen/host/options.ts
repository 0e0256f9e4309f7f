/**
 * @packageDocumentation
 * The command line of `npm run test:xen`.
 */
import { parseArgs } from 'node:util'

export const USAGE = `
npm run test:xen [-- options]
  boots a real Xen in an emulator, runs the packaged xbbd in its dom0 and unmodified guests in front of it, and replays
  every journal recorded there. Needs Debian 12 with apt, 4 GiB of free memory, and root once, to build the rig.

  --short           what continuous integration runs: at most five minutes
  --only PATTERN    scenarios, suites and boots whose names match (a regular expression); may be repeated
  --list            print what there is, and run nothing
  --command LINE    boot, install the package, run one line of shell in dom0, and end with its status
  --json FILE       write the results there
  --verbose         show the consoles of the machine while it runs
  --help            this

Examples:
  npm run test:xen -- --short
  npm run test:xen -- --only 'ext4' --verbose
  npm run test:xen -- --command 'xbbd --version; xl info'
`

export interface TestOptions {
  readonly short: boolean
  readonly only: readonly RegExp[]
  readonly list: boolean
  readonly command: string | undefined
  readonly json: string | undefined
  readonly verbose: boolean
  readonly help: boolean
}

/** @throws Error with a sentence when an option does not exist. */
export function readOptions(args: readonly string[]): TestOptions {
  const { values } = parseArgs({
    args: [...args],
    options: {
      short: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      list: { type: 'boolean', default: false },
      command: { type: 'string' },
      json: { type: 'string' },
      verbose: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  })
  const { command, json, ...rest } = values
  return { ...rest, command, json, only: values.only.map((pattern) => new RegExp(pattern)) }
}
