import {
  consumerIsFull, producerOverflows, ringAdd, ringDistance, ringNotify, ringSlot,
} from '../../src/protocol/ring-index.js'

const edges = [0, 1, 0x7fffffff, 0x80000000, 0x80000001, 0xfffffffe, 0xffffffff]

test.each(edges)('index arithmetic holds around %d', (base) => {
  for (let step = 0; step <= 70; step += 1) {
    const next = ringAdd(base, step)
    expect(next).toBe(Number((BigInt(base) + BigInt(step)) % (1n << 32n)))
    expect(ringDistance(next, base)).toBe(step)
    expect(ringSlot(next, 64)).toBe(Number(BigInt(next) % 64n))
  }
})

test.each(edges)('a notification is due exactly when the event lies in what was published, around %d', (base) => {
  for (let published = 0; published <= 5; published += 1)
    for (let asked = -3; asked <= 8; asked += 1) {
      const due = asked > 0 && asked <= published
      expect(ringNotify(ringAdd(base, published), base, ringAdd(base, asked))).toBe(due)
    }
})

test.each(edges)('B11: a producer that claims more than the ring holds is found, around %d', (rspProd) => {
  expect(producerOverflows(ringAdd(rspProd, 32), rspProd, 32)).toBe(false)
  expect(producerOverflows(ringAdd(rspProd, 33), rspProd, 32)).toBe(true)
  expect(producerOverflows(ringAdd(rspProd, -1), rspProd, 32)).toBe(true)
})

test.each(edges)('nothing is consumed without room for its answer, around %d', (rspProd) => {
  expect(consumerIsFull(ringAdd(rspProd, 31), rspProd, 32)).toBe(false)
  expect(consumerIsFull(ringAdd(rspProd, 32), rspProd, 32)).toBe(true)
})
