/**
 * @packageDocumentation
 * The manual pages xbbd(8) and xbbd.conf(5), from packaging/man/pages.txt, where people write, and from the tree of
 * commands and the schema of settings, which cannot lag behind. `npm run man` writes them into packaging/man/.
 */
import type { Argument, Command, Option } from 'commander'
import { describeKind } from '../config/kinds.js'
import { settingKeys, settingOf } from '../config/schema.js'
import { roffOf, titleLine } from './roff.js'

/** File name (`xbbd.8`) → the page. */
export function manualPages(source: string, program: Command, version: string): Map<string, string> {
  const generated: Readonly<Record<string, () => string>> = {
    '{commands}': () => commandsText(program),
    '{settings}': settingsText,
  }
  const pages = source.split(/^# (?=\S+ \d )/m).slice(1)
  return new Map(
    pages.map((page) => {
      const [, name, section, date, summary, body] = /^(\S+) (\d) (\S+) ([^\n]*)\n(.*)$/s.exec(page) ?? []
      const markup = Object.entries(generated).reduce((text, [mark, make]) => text.replace(mark, make), body)
      const notice = `.\\" Made by \`npm run man\` of packaging/man/pages.txt and of the program: change those.\n`
      const head = `.SH NAME\n${name} \\- ${summary}\n`
      return [`${name}.${section}`, notice + titleLine(name, section, date, version) + head + roffOf(markup)]
    }),
  )
}

/** Every command that does something, by its full name. */
function commandsText(program: Command): string {
  const commands = leavesOf(program, '').sort((a, b) => a.path.localeCompare(b.path))
  return commands.map(({ path, command }) => commandText(path, command)).join('\n\n')
}

function leavesOf(command: Command, path: string): { path: string; command: Command }[] {
  const children = command.commands.filter((child) => child.name() !== 'help')
  if (children.length === 0) return [{ path, command }]
  return children.flatMap((child) => leavesOf(child, `${path} ${child.name()}`.trim()))
}

function commandText(path: string, command: Command): string {
  const help = command.createHelp()
  const options = help.visibleOptions(command).filter(({ long }) => long !== '--help')
  const own = options.filter(({ helpGroupHeading }) => !helpGroupHeading?.startsWith('Settings'))
  const args = command.registeredArguments
  const usage = args.map((one) => (one.required ? ` _${nameOf(one)}_` : ` [_${nameOf(one)}_]`)).join('')
  const settings = own.length < options.length ? [`Every setting of xbbd.conf(5) is an option, too.`] : []
  return [
    `### \`xbbd ${path}\`${usage}`,
    [`${sentence(command.description())}`, ...settings].join('\n'),
    ...args.map((argument) => `- _${nameOf(argument)}_ :: ${sentence(argument.description)}${choicesText(argument)}`),
    ...own.map((option) => `- ${flagsText(option)} :: ${sentence(option.description)}${choicesText(option)}`),
  ].join('\n\n')
}

const nameOf = (argument: Argument) => argument.name().toUpperCase()

/** `-t, --target <target>` with what is typed in bold. */
function flagsText({ flags }: Option): string {
  const typed = flags.replace(/--?[\w-]+/g, (flag) => `\`${flag}\``)
  return typed.replace(/[<[]([\w-]+)[\]>]/g, (_all, name: string) => `_${name.toUpperCase()}_`)
}

function choicesText({ argChoices, defaultValue }: Pick<Option, 'argChoices' | 'defaultValue'>): string {
  const choices = argChoices ? ` One of ${argChoices.map((choice) => `\`${choice}\``).join(', ')}.` : ''
  const byDefault = typeof defaultValue === 'string' ? ` Default: \`${defaultValue}\`.` : ''
  return choices + byDefault
}

function settingsText(): string {
  const entries = settingKeys.map((key) => {
    const { kind, fallback, reloadable, doc } = settingOf(key)
    const limits = `${describeKind(kind)}${fallback === '' ? '' : `; default ${fallback}`}`
    return `- \`${key}\` = _${kind.type}_${reloadable ? ' _(reload)_' : ''} :: ${doc} [${limits}]`
  })
  return entries.join('\n')
}

/** Help texts are phrases; in a page they are sentences. */
function sentence(phrase: string): string {
  const text = /^\S:/.test(phrase) ? phrase : phrase.charAt(0).toUpperCase() + phrase.slice(1)
  return /[.!?]$/.test(text) ? text : `${text}.`
}
