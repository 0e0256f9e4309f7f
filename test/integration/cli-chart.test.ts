import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageRoot } from '../../src/io/native/load.js'
import { xbbd } from '../support/xbbd-process.js'

const kept = join(packageRoot(), 'visualizations')

test('xbbd chart writes what is checked in, byte for byte', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'xbbd-chart-'))
  try {
    const ended = await xbbd('chart', '--out', join(dir, 'new'))
    expect(ended).toMatchObject({ status: 0, stderr: '' })
    const names = readdirSync(join(dir, 'new'))
    expect(names).toEqual(readdirSync(kept).filter((name) => /\.(mmd|json|svg|machine\.ts)$/.test(name)))
    for (const name of names) expect(readFileSync(join(dir, 'new', name), 'utf8')).toBe(readFileSync(join(kept, name), 'utf8'))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
})

test('xbbd chart NAME prints one; a wrong name has a suggestion', async () => {
  const printed = await xbbd('chart', 'request', '--format', 'stately')
  expect(printed).toEqual({ status: 0, stdout: readFileSync(join(kept, 'request.machine.ts'), 'utf8'), stderr: '' })
  const drawn = await xbbd('chart', 'actors', '--format', 'svg')
  expect(drawn).toEqual({ status: 0, stdout: readFileSync(join(kept, 'actors.svg'), 'utf8'), stderr: '' })
  expect((await xbbd('chart', 'actors')).stderr).toContain('there are request, queue, device')
  expect(await xbbd('chart', 'requst')).toEqual({
    status: 64,
    stdout: '',
    stderr: 'xbbd: no chart is called "requst": did you mean request?\n',
  })
  expect(await xbbd('chart', '--out', join(packageRoot(), 'package.json/x'))).toMatchObject({ status: 73 })
})
