/**
 * Shared memory under signals: a profiler or a debugger at work must not keep the daemon from starting. Linux 6.1,
 * which Debian 12 has, undoes the whole call for any signal; newer kernels for a fatal one only.
 */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { unmap, view } from '../../src/io/native/owners.js'
import { mapFile } from '../../src/io/native/shm.js'

const module = new URL('../../src/io/native/shm.js', import.meta.url).href

test('memory is allocated whole under a storm of signals, which undo a long call on tmpfs', () => {
  const directory = mkdtempSync(join(tmpdir(), 'xbbd-shm-'))
  const file = join('/dev/shm', basename(directory))
  const program = `
    const { memfdCreate, mapFile } = await import(${JSON.stringify(module)})
    memfdCreate('storm', 192 << 20, { allocate: true })
    mapFile(${JSON.stringify(file)}, 192 << 20)
    process.stdout.write('whole')`
  // The profiler's signal comes every 200 µs; 192 MiB take a hundred times as long.
  const profile = ['--cpu-prof', '--cpu-prof-interval', '200', '--cpu-prof-dir', directory]
  const { stdout, stderr } = spawnSync(process.execPath, [...profile, '--input-type=module', '-e', program])
  rmSync(directory, { recursive: true })
  rmSync(file, { force: true })
  expect({ said: String(stdout), complaints: String(stderr) }).toEqual({ said: 'whole', complaints: '' })
})

test('a file is mapped with all its bytes, and what stood in it is not changed; a later mapping sees them', () => {
  const path = join(mkdtempSync(join(tmpdir(), 'xbbd-shm-')), 'segment')
  const first = mapFile(path, 8192)
  new Uint8Array(view(first)).set([1, 2, 3], 5000)
  const second = mapFile(path, 8192)
  expect([...new Uint8Array(view(second), 4999, 5)]).toEqual([0, 1, 2, 3, 0])
  expect(statSync(path)).toMatchObject({ size: 8192, mode: 0o100600 })
  for (const handle of [first, second]) unmap(handle)
  expect(() => mapFile(join(path, 'below'), 4096)).toThrow(/ENOTDIR/)
  rmSync(path)
})
