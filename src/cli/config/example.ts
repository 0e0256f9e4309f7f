/**
 * @packageDocumentation
 * The example configuration, written from the schema. `packaging/xbbd.conf.example` is this text, checked in so that it
 * can be read without running anything; a test fails when it is stale, and UPDATE_GOLDEN=1 writes it anew. Every line
 * that sets something is commented out: the file as it is changes nothing, and it parses.
 */
import { describeKind } from './kinds.js'
import { settingKeys, settingOf } from './schema.js'

const COLUMNS = 100

/** The whole file. */
export function exampleConfig(): string {
  const head = [
    ...comment(
      'Configuration of xbbd. Every line below shows a setting with its default; remove the # to change it. ' +
        'Flags of `xbbd run` win over this file (journal.size is --journal-size). Sizes: 4096, 64K, 16M, 1G. ' +
        'Durations: 250ms, 10s, 5m, 1h. `xbbd config check` finds every mistake at once; ' +
        '`systemctl reload xbbd` or SIGHUP applies what is marked (reload), the rest waits for the next start.',
    ),
    '# Generated from src/cli/config/schema.ts.',
  ]
  return [...head, ...settingKeys.flatMap((key) => ['', ...paragraph(key)])].join('\n') + '\n'
}

function paragraph(key: (typeof settingKeys)[number]): string[] {
  const { kind, fallback, reloadable, doc } = settingOf(key)
  const value = fallback === '' ? '""' : fallback
  return [...comment(`${doc} [${describeKind(kind)}]${reloadable ? ' (reload)' : ''}`), `#${key} = ${value}`]
}

/** Comment lines, wrapped between words. */
function comment(text: string): string[] {
  const lines: string[] = []
  let line = '#'
  for (const word of text.split(' ')) {
    if (line.length + 1 + word.length > COLUMNS) {
      lines.push(line)
      line = '#'
    }
    line += ` ${word}`
  }
  return [...lines, line]
}
