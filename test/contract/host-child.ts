/** A back end that takes a ring and a port, says so, and waits to be killed: `host-child.js DIR DOMID PORT GREF…`. */
import { EmbeddedHostClient } from '../../src/embedded/host-client.js'
import { view } from '../../src/io/native/owners.js'
import { connectXenStore } from '../../src/io/xenstore/client.js'

const [dir, domid, port, ...grefs] = process.argv.slice(2)
const host = EmbeddedHostClient.connect(dir)
const ring = await host.mapRing({ domid: Number(domid), grefs: grefs.map(Number), abi: 'x86_64' })
const channel = await host.bindChannel(Number(domid), Number(port))
const store = await connectXenStore(`${dir}/xenstore`)
await store.write('/contract', 'written by one who is dead')
if (ring.ok) new Int32Array(view(ring.plan.ringHandle))[1] = 0x0dead
console.log(ring.ok && channel.ok ? 'ready' : JSON.stringify([ring, channel]))
