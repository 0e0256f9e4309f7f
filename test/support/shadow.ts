/** What the guest of the suspend test writes: which bytes stand in a block follows from its number and the round. */
export const BLOCK = 16 * 1024
export const BLOCKS = 24

export const block = (index: number, round: number): Buffer => Buffer.alloc(BLOCK, `${round}:${index};`)

/** Blocks that are written a second time, and in flight when the guest is suspended. */
export const AGAIN: readonly number[] = Array.from({ length: BLOCKS / 2 }, (_, index) => 2 * index)
