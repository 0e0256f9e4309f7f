/**
 * @packageDocumentation
 * Charts that exist only to try the compiler. The copier has what the request chart has (self edges, guards on a
 * counter, assigns, edges that do nothing); the door has what makes hand-written compilers wrong: two parallel regions,
 * entry and exit actions in nested states, `always`, a raised event, composite guards, onDone, a re-entering edge.
 */
import { and, assign, not, or, raise, setup, stateIn } from 'xstate'
import type { ContextDomain } from '../../src/machines/index.js'

export const copierChart = setup({
  types: {
    context: {} as { parts: number; left: number; failed: boolean },
    events: {} as { type: 'start' | 'done' | 'broke' | 'poke' | 'clear' },
  },
  guards: {
    more: ({ context }) => context.left > 1,
    spoilt: ({ context }) => context.failed,
  },
  actions: {
    begin: assign({ left: ({ context }) => context.parts, failed: false }),
    countDown: assign({ left: ({ context }) => context.left - 1 }),
    spoil: assign({ failed: true }),
    ring: () => undefined,
    sigh: () => undefined,
  },
}).createMachine({
  id: 'copier',
  description: 'Copies something in parts',
  context: { parts: 2, left: 0, failed: false },
  initial: 'Idle',
  states: {
    Idle: {
      description: 'Nothing to do; "ready": yes',
      on: { start: { target: 'Copying', actions: ['begin'], description: 'there is work' } },
    },
    Copying: {
      description: 'Parts are on their way',
      on: {
        done: [
          { guard: 'more', actions: ['countDown'], description: 'one part less' },
          { guard: 'spoilt', target: 'Finished', actions: ['countDown', 'sigh'], description: 'the last, but spoilt' },
          { target: 'Finished', actions: ['countDown', 'ring'], description: 'the last part' },
        ],
        broke: [
          { guard: 'more', actions: ['spoil', 'countDown'], description: 'one part broke' },
          { target: 'Finished', actions: ['countDown', 'spoil', 'sigh'], description: 'the last part broke' },
        ],
        poke: { description: 'it is busy and does not mind' },
      },
    },
    Finished: {
      description: 'All parts are done',
      on: { clear: { target: 'Idle', description: 'out of the way' } },
    },
  },
})

export const copierDomain: ContextDomain = { parts: [1, 2, 3], left: [0, 1, 2, 3], failed: [false, true] }

export const doorChart = setup({
  types: {
    context: {} as { key: boolean; knocks: number },
    events: {} as { type: 'open' | 'close' | 'knock' | 'bell' | 'lock' | 'leave' | 'return' },
  },
  guards: {
    hasKey: ({ context }) => context.key,
    tired: ({ context }) => context.knocks > 1,
    mayOpen: or(['hasKey', and([not('tired'), stateIn({ House: { bell: 'Quiet' } })])]),
  },
  actions: {
    count: assign({ knocks: ({ context }) => context.knocks + 1 }),
    forget: assign({ knocks: 0 }),
    ringAgain: raise({ type: 'bell' }),
    creak: () => undefined,
    click: () => undefined,
    light: () => undefined,
    dark: () => undefined,
    hum: () => undefined,
    hush: () => undefined,
    bow: () => undefined,
  },
}).createMachine({
  id: 'door',
  description: 'A house with a door and a bell',
  context: { key: false, knocks: 0 },
  initial: 'House',
  states: {
    House: {
      description: 'Somebody is at home',
      type: 'parallel',
      exit: ['hush'],
      states: {
        door: {
          description: 'The door',
          initial: 'Shut',
          states: {
            Shut: {
              description: 'It is shut',
              initial: 'Unlocked',
              exit: ['creak'],
              states: {
                Unlocked: {
                  description: 'One could open it',
                  on: {
                    open: { guard: 'mayOpen', target: '#door.House.door.Open', actions: ['click'], description: 'in' },
                    lock: { target: 'Locked', description: 'for the night' },
                  },
                },
                Locked: {
                  description: 'It needs the key',
                  exit: ['click'],
                  on: { open: { guard: 'hasKey', target: 'Unlocked', description: 'unlocked, not opened' } },
                },
              },
              on: {
                knock: {
                  target: 'Shut',
                  reenter: true,
                  actions: ['count', 'ringAgain'],
                  description: 'a knock rings the bell too',
                },
              },
            },
            Open: {
              description: 'It is open',
              entry: ['light'],
              exit: ['dark'],
              always: { guard: 'tired', target: 'Wide', actions: ['forget'], description: 'after many knocks' },
              on: { close: { target: 'Shut', description: 'slammed' } },
            },
            Wide: { description: 'It stays open', type: 'final' },
          },
        },
        bell: {
          description: 'The bell',
          initial: 'Quiet',
          states: {
            Quiet: {
              description: 'No sound',
              on: { bell: { target: 'Ringing', actions: ['hum'], description: 'it begins' } },
            },
            Ringing: {
              description: 'It rings',
              exit: ['hush'],
              on: {
                bell: [
                  { guard: 'tired', target: 'Worn', description: 'too often' },
                  { actions: ['hum'], description: 'it goes on' },
                ],
                close: { target: 'Quiet', description: 'the door damps it' },
              },
            },
            Worn: { description: 'It is broken', type: 'final' },
          },
        },
      },
      onDone: { target: 'Away', actions: ['bow'], description: 'door wide open, bell broken: they leave' },
      on: { leave: { target: 'Away', description: 'they go out' } },
    },
    Away: {
      description: 'Nobody is at home',
      on: { return: { target: 'House', actions: ['bow'], description: 'they come back' } },
    },
  },
})

export const doorDomain: ContextDomain = { key: [false, true], knocks: [0, 1, 2] }
