/**
 * @packageDocumentation
 * `xbbd chart`: the charts for people. Without a name it writes every picture into a directory; with one it prints that
 * chart, so that it can be piped into a viewer. Texts come from the very function that the repository's own
 * `visualizations/` are checked against; pictures (SVG) are those files themselves, installed beside the program.
 */
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { Option, type Command } from 'commander'
import { packageRoot } from '../../io/native/load.js'
import { XbbdError, sentenceOf } from '../../protocol/errors.js'
import { nearest } from '../../protocol/nearest.js'
import type { CommandContext } from './context.js'

const SUFFIX = { mermaid: '.mmd', svg: '.svg', stately: '.machine.ts', json: '.json' } as const
const FOLDER = 'visualizations'

interface Options {
  readonly format: keyof typeof SUFFIX
  readonly out: string
}

const EXAMPLES = `
Examples:
  xbbd chart                                   write all charts into visualizations/
  xbbd chart request                           print one as Mermaid
  xbbd chart device --format svg > device.svg  a picture for any browser; the pointer finds what everything means
  xbbd chart actors --format svg > actors.svg  who supervises whom, and which events flow
  xbbd chart device --format stately           print one for Stately's editor (paste it there)
`

/** Registers the command. */
export function addChart(program: Command, { terminal }: CommandContext): void {
  program
    .command('chart')
    .description('write the state charts as pictures, or print one')
    .argument('[name]', 'the chart to print; without it all are written')
    .addOption(new Option('-f, --format <format>', 'how to print').choices(Object.keys(SUFFIX)).default('mermaid'))
    .option('-o, --out <dir>', 'where to write', FOLDER)
    .addHelpText('after', EXAMPLES)
    .action(async (name: string | undefined, options: Options) => {
      const pictures = await picturesOfCharts()
      if (name === undefined) terminal.out(`${writeAll(pictures, options.out)} files in ${options.out}\n`)
      else terminal.out(pictureOf(pictures, name, options.format))
    })
}

/** File name → content. The charts are loaded only when somebody wants to see them. */
async function picturesOfCharts(): Promise<Map<string, string>> {
  const [{ charts }, { chartFiles }] = await Promise.all([
    import('../../machines/index.js'),
    import('../../observe/chart-files.js'),
  ])
  const files = [...chartFiles(charts)].filter(([path]) => path.startsWith(`${FOLDER}/`))
  return new Map([...files.map(([path, content]) => [basename(path), content] as const), ...installedPictures()])
}

function installedPictures(): [string, string][] {
  const folder = join(packageRoot(), FOLDER)
  try {
    const names = readdirSync(folder).filter((name) => name.endsWith(SUFFIX.svg))
    return names.map((name) => [name, readFileSync(join(folder, name), 'utf8')])
  } catch (cause) {
    const sentence = `the pictures are not where they were installed (${sentenceOf(cause)}): install xbbd again`
    throw new XbbdError('XBBD_CHART_PICTURES', sentence, { cause, exitCode: 66 })
  }
}

function pictureOf(pictures: Map<string, string>, name: string, format: keyof typeof SUFFIX): string {
  const content = pictures.get(name + SUFFIX[format])
  if (content !== undefined) return content
  const suffix = SUFFIX[format]
  const names = [...pictures.keys()].filter((file) => file.endsWith(suffix)).map((file) => basename(file, suffix))
  const guess = nearest(name, names)
  const hint = guess === undefined ? `there are ${names.join(', ')}` : `did you mean ${guess}?`
  throw new XbbdError('XBBD_CHART_NAME', `no chart is called ${JSON.stringify(name)}: ${hint}`, { exitCode: 64 })
}

function writeAll(pictures: Map<string, string>, out: string): number {
  try {
    mkdirSync(out, { recursive: true })
    for (const [name, content] of pictures) writeFileSync(join(out, name), content)
  } catch (cause) {
    const sentence = `cannot write the charts into ${out}: ${sentenceOf(cause)}; name another place with --out`
    throw new XbbdError('XBBD_CHART_OUT', sentence, { cause, exitCode: 73 })
  }
  return pictures.size
}
