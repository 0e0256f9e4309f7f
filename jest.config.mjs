/**
 * Tests run on what tsc wrote into dist/: the very files that Workers and child processes load, so that no test
 * sees another program than the one that ships, and nothing is transformed twice.
 */
export default {
  rootDir: 'dist/test',
  testMatch: ['**/*.test.js'],
  testEnvironment: 'node',
  transform: {},
  testTimeout: 30_000,
  maxWorkers: 2,
  snapshotFormat: { escapeString: false, printBasicPrototype: false },
}
