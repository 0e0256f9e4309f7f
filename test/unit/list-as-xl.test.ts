/**
 * The columns of `xl block-list`; that they are xl's own is shown in the rig.
 */
import { listAsXl } from '../../src/cli/commands/list-as-xl.js'
import type { DeviceListing } from '../../src/ports/daemon-api.js'

const idle: DeviceListing = {
  domid: 5, devid: 51712, vdev: 'xvda', name: 'vbd/5/51712', path: '/local/domain/0/backend/vbd/5/51712',
  state: 'InitWait', backendState: 'InitWait', frontendState: 'Initialising', online: true, target: '/a', mode: 'w',
  sectorCount: 8, sectorSize: 512, connection: undefined, error: undefined, limit: {}, notes: [], restarts: 0,
  gaveUp: false, connections: 0,
}
const queue = (name: string, evtchn: number, ringRefs: readonly number[]) => ({
  name, evtchn, ringRefs, busy: false, shortage: false, broken: false, mediumGone: false, mediumFull: false, throttled: false,
})

test('without a connection there is no channel and no ring; of several queues the first has the line', () => {
  const queues = [queue('vbd/6/768/q0', 12, [8, 9]), queue('vbd/6/768/q1', 13, [10, 11])]
  const connected: DeviceListing = {
    ...idle, domid: 6, devid: 768, path: '/local/domain/3/backend/vbd/6/768', frontendState: 'Connected',
    connection: { abi: 'x86_64', ringPages: 2, ringEntries: 64, queues },
  }
  const gone: DeviceListing = { ...idle, frontendState: 'Absent' }
  expect(listAsXl([idle, connected, gone]).split('\n').map((line) => line.trimEnd())).toEqual([
    'Vdev  BE  handle state evt-ch ring-ref BE-path',
    '51712 0   5      1     -1     -1       /local/domain/0/backend/vbd/5/51712',
    '768   3   6      4     12     8        /local/domain/3/backend/vbd/6/768',
    '51712 0   5      -1    -1     -1       /local/domain/0/backend/vbd/5/51712',
    '',
  ])
})
