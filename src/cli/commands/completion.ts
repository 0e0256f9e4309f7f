/**
 * @packageDocumentation
 * `xbbd completion bash|zsh`: a script for the shell, written from the tree of commands, so that it never lags behind.
 * bash gets one function over two tables: «commands so far → what may follow» and «option before the cursor → its
 * choices»; zsh runs the same function through its bash compatibility. Where neither knows a word, the shell completes
 * files.
 */
import { Argument, type Command } from 'commander'
import type { CommandContext } from './context.js'

const EXAMPLES = `
Examples:
  xbbd completion bash > /etc/bash_completion.d/xbbd
  source <(xbbd completion zsh)
`

/** Registers the command. */
export function addCompletion(program: Command, { terminal }: CommandContext): void {
  program
    .command('completion')
    .description('print a completion script for a shell')
    .addArgument(new Argument('<shell>', 'which shell').choices(['bash', 'zsh']))
    .addHelpText('after', EXAMPLES)
    .action((shell: 'bash' | 'zsh') => terminal.out(completionScript(program, shell)))
}

/** The script for one shell. */
export function completionScript(program: Command, shell: 'bash' | 'zsh'): string {
  // the deepest command first: what follows it may be arguments, which begin with the same words
  const commands = [...paths(program, [])].reverse()
  const cases = commands.map(({ path, words }) => {
    const pattern = path.length === 0 ? `''` : `'${path.join(' ')}'|'${path.join(' ')} '*`
    return `    ${pattern}) words='${words.join(' ')}' ;;`
  })
  const choices = commands.flatMap(({ path, values }) =>
    values.map(({ option, words }) => `    '${path.join(' ')}'*' ${option}') words='${words.join(' ')}' ;;`),
  )
  const preamble = shell === 'zsh' ? ['autoload -U +X bashcompinit && bashcompinit'] : []
  return [
    `# Completion of xbbd for ${shell}; written by \`xbbd completion ${shell}\`.`,
    ...preamble,
    '_xbbd() {',
    '  local current="${COMP_WORDS[COMP_CWORD]}" path="" words="" index',
    '  for ((index = 1; index < COMP_CWORD; index++)); do',
    '    case "${COMP_WORDS[index]}" in',
    '      -*) ;;',
    '      *) path="${path:+$path }${COMP_WORDS[index]}" ;;',
    '    esac',
    '  done',
    '  case "$path" in',
    ...cases,
    '    *) words="" ;;',
    '  esac',
    '  case "$path ${COMP_WORDS[COMP_CWORD - 1]}" in',
    ...choices,
    '  esac',
    '  COMPREPLY=($(compgen -W "$words" -- "$current"))',
    '  if [ ${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "$current")); fi',
    '}',
    'complete -o filenames -F _xbbd xbbd',
    '',
  ].join('\n')
}

/** One command: what may follow it, and what may follow those of its options that have choices. */
interface CommandWords {
  readonly path: readonly string[]
  readonly words: readonly string[]
  readonly values: readonly { readonly option: string; readonly words: readonly string[] }[]
}

function* paths(command: Command, path: string[]): Generator<CommandWords> {
  const help = command.createHelp()
  const names = help.visibleCommands(command).map((child) => child.name())
  const visible = help.visibleOptions(command)
  const options = visible.flatMap((option) => option.long ?? [])
  const choices = command.registeredArguments.flatMap((argument) => argument.argChoices ?? [])
  const values = visible.flatMap(({ argChoices, short, long }) =>
    [short, long].flatMap((option) => (argChoices && option ? [{ option, words: argChoices }] : [])),
  )
  yield { path, words: [...names, ...choices, ...options], values }
  for (const child of command.commands) yield* paths(child, [...path, child.name()])
}
