/**
 * @packageDocumentation
 * Real programs that some tests use as judges (fio, qemu-io, nbdcopy, xenstore-ls, a C compiler with Xen's headers).
 * Where XBBD_REQUIRE_CLIENTS is set (continuous integration) a missing one fails the test; elsewhere the test is
 * marked as skipped, with the reason printed: never quietly.
 */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

/** Whether `name` is an executable on PATH (or in the sbin directories) or, with a slash, an existing file. */
export function present(name: string): boolean {
  if (name.includes('/')) return existsSync(name)
  const path = `${process.env.PATH ?? ''}${delimiter}/usr/sbin${delimiter}/sbin`
  return path.split(delimiter).some((dir) => existsSync(join(dir, name)))
}

/** `test` when everything named is present; otherwise a failing test in CI, a visibly skipped one elsewhere. */
export function testWith(names: readonly string[], title: string, body: () => Promise<void>, timeout?: number) {
  const missing = names.filter((name) => !present(name))
  if (missing.length === 0) return test(title, body, timeout)
  const sentence = `needs ${missing.join(', ')}, which this machine lacks: install it to run this test`
  if (process.env.XBBD_REQUIRE_CLIENTS)
    return test(title, () => {
      throw new Error(sentence)
    })
  process.stderr.write(`skipped: ${title}: ${sentence}\n`)
  return test.skip(title, body, timeout)
}
