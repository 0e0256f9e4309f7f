import { loadAddon } from '../../src/io/native/load.js'

test('the addon loads and counts the environments that hold it', () => {
  const addon = loadAddon<{ environments(): number }>()
  expect(addon.environments()).toBeGreaterThanOrEqual(1)
})
