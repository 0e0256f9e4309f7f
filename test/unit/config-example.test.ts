import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { exampleConfig } from '../../src/cli/config/example.js'
import { loadSettings } from '../../src/cli/config/load.js'
import { settingKeys } from '../../src/cli/config/schema.js'
import { packageRoot } from '../../src/io/native/load.js'

const path = join(packageRoot(), 'packaging/xbbd.conf.example')

test('packaging/xbbd.conf.example is what the schema says (UPDATE_GOLDEN=1 writes it anew)', () => {
  if (process.env.UPDATE_GOLDEN) writeFileSync(path, exampleConfig())
  expect(readFileSync(path, 'utf8')).toBe(exampleConfig())
})

test('the example changes nothing as it is, and every line of it is valid once uncommented', () => {
  const defaults = loadSettings({})
  const uncommented = exampleConfig().replace(/^#(?=[a-z])/gm, '')
  for (const content of [exampleConfig(), uncommented]) {
    const loaded = loadSettings({ file: { path: 'example', content } })
    expect(loaded).toMatchObject({ ok: true, settings: defaults.ok ? defaults.settings : undefined })
  }
  for (const key of settingKeys) expect(uncommented).toContain(`\n${key} = `)
})
