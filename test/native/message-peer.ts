/**
 * @packageDocumentation
 * The other process of message-socket.test.ts: connects to the path in argv, receives a memfd and an eventfd, checks
 * the seal, adds one to every byte of the memory, notifies, and answers `done` or the code of what went wrong.
 */
import { closeDescriptor, map, owned, unmap, view } from '../../src/io/native/owners.js'
import { MessageSocket } from '../../src/io/native/message-socket.js'
import { eventfdWrite, memfdSize } from '../../src/io/native/shm.js'
import { codeOf } from '../../src/protocol/errors.js'

const socket = MessageSocket.connect(process.argv[2] ?? '')
socket.listen({
  message(_bytes, [memfd, event]) {
    try {
      const mapping = map(memfd, memfdSize(memfd), 0, true)
      const bytes = new Uint8Array(view(mapping))
      for (let i = 0; i < bytes.length; i++) bytes[i]++
      eventfdWrite(event)
      unmap(mapping)
      socket.send(Buffer.from('done'))
    } catch (error) {
      socket.send(Buffer.from(codeOf(error) ?? 'unknown'))
    }
    closeDescriptor(memfd)
    closeDescriptor(event)
  },
  end() {
    process.exit(owned().length === 0 ? 0 : 1)
  },
})
