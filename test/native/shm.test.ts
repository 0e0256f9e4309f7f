/**
 * Shared memory under signals: a profiler or a debugger at work must not keep the daemon from starting. Linux 6.1,
 * which Debian 12 has, undoes the whole call for any signal; newer kernels for a fatal one only.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

const module = new URL('../../src/io/native/shm.js', import.meta.url).href

test('memory is allocated whole under a storm of signals, which undo a long call on tmpfs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'xbbd-shm-'))
  const program = `
    const { memfdCreate, allocateFile } = await import(${JSON.stringify(module)})
    memfdCreate('storm', 192 << 20, { allocate: true })
    allocateFile(memfdCreate('storm', 192 << 20), 192 << 20)
    process.stdout.write('whole')`
  // The profiler's signal comes every 200 µs; 192 MiB take a hundred times as long.
  const profile = ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', directory]
  const { stdout, stderr } = spawnSync(process.execPath, [...profile, '--input-type=module', '-e', program])
  rmSync(directory, { recursive: true })
  expect({ said: String(stdout), complaints: String(stderr) }).toEqual({ said: 'whole', complaints: '' })
})
