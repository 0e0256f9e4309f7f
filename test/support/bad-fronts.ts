/**
 * @packageDocumentation
 * Front ends that are bad on purpose, as scripts, each by the one rule of the linter that must find it. Those of the
 * first kind need no XenStore and run in the simulated world; the others are guests of an embedded host.
 */

/** By rule: what such a front end does. */
export const BAD_REQUESTS: Readonly<Record<string, string>> = {
  'ring-overrun': 'connect\nput read at 0 sectors 8 as r\nexpect r okay\nindex req_prod +1000\nnotify\nwait 1ms',
  'id-reused': 'connect\nstage read at 0 sectors 8 id 5 as a\nput write at 8 sectors 8 id 5 as b\nexpect a b okay',
  'grant-reused':
    'connect\npage a\nstage read at 0 segments a as r\nstage write at 8 segments a as w\npublish\nexpect r w okay',
  'grant-bad': 
    'connect\nput read segments @4000 as r\nexpect r error\nput read sectors 8 as s\nexpect s okay',
  'op-unknown': 'connect\nput op 77 as r\nexpect r unsupported',
  'op-not-offered': 'disk without discard\nconnect\nput discard at 0 sectors 8 as d\nexpect d unsupported',
  'barrier-not-offered': 'disk without barrier\nconnect\nput barrier at 0 sectors 8 as b\nexpect b unsupported',
  'disk-read-only': 'disk read-only\nconnect\nput write at 0 sectors 8 as w\nexpect w error',
  'segments-none': 'connect\nput read at 0 as r\nexpect r error',
  'segments-too-many': 'connect\nput read at 0 sectors 8 nr-segments 12 as r\nexpect r error',
  'segment-reversed': 'connect\npage a\nput read segments a:5-3 as r\nexpect r error',
  'segment-crosses-page': 'connect\npage a\nput read segments a:0-8 as r\nexpect r error',
  'segment-misaligned': 'disk sector-size 4096\nconnect\npage a\nput read segments a:1-7 as r\nexpect r error',
  'sector-misaligned': 'disk sector-size 4096\nconnect\nput read at 4 sectors 8 as r\nexpect r error',
  'sector-divided': [
    'disk sector-size 4096', 'connect',
    ...Array.from({ length: 16 }, (_, block) => `put read at ${block} sectors 8 as r${block}`), 'wait 1ms',
  ].join('\n'),
  'range-beyond-end': 'connect\nput read at 8192 sectors 8 as r\nexpect r error',
  'discard-empty': 'connect\nput discard at 0 sectors 0 as d\nexpect d error',
  'discard-misaligned': 'disk sector-size 4096\nconnect\nput discard at 4 sectors 8 as d\nexpect d error',
  'discard-flag': 'connect\nput discard at 0 sectors 8 flag 6 as d\nexpect d okay',
  'discard-secure-not-offered': 'connect\nput discard at 0 sectors 8 flag 1 as d\nexpect d okay',
  'indirect-operation': 'connect\nput indirect flush sectors 8 as r\nexpect r error',
  'descriptors-unreadable': 'connect\nput indirect read sectors 128 descriptors @4000 as r\nexpect r error',
  'indirect-short': 'connect\nput indirect read sectors 8 as r\nexpect r okay',
}

const HANDSHAKE = 'rings\nkeys\n'
const SERVED = 'state Initialised\nexpect state Connected\nstate Connected\n'

/** By rule: what such a front end does, and whether that is only a note. */
export const BAD_HANDSHAKES: Readonly<Record<string, readonly [script: string, isNote: boolean]>> = {
  'state-skipped': [`${HANDSHAKE}state Connected\nexpect state Connected\nclose\n`, true],
  'state-restarted': [`connect\nstate Initialising\nwait 300ms\n`, true],
  'state-order': [`state InitWait\nwait 200ms\n`, false],
  'keys-missing': ['rings\nkeys\nkey event-channel gone\nstate Initialised\nwait 300ms\n', false],
  'keys-unusable': ['rings\nkeys\nkey ring-page-order 9\nstate Initialised\nwait 300ms\n', false],
  'ring-ref-twice': [`${HANDSHAKE}key ring-ref0 $ref0\n${SERVED}close\n`, false],
  'protocol-missing': [`${HANDSHAKE}key protocol gone\n${SERVED}close\n`, true],
  'request-too-long': [
    `${HANDSHAKE}key max-request-size 4096\n${SERVED}put read sectors 16 as r\nexpect r error\nclose\n`, false,
  ],
  'discard-granularity': ['disk sector-size 512e\nconnect\nput discard at 1 sectors 3 as d\nexpect d okay\nclose\n', true],
}
