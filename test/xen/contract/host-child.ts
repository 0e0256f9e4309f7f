/** A back end that takes a ring and a port, says so, and waits to be killed: `host-child.js DOMID PORT GREF…`. */
import { view } from '../../../src/io/native/owners.js'
import { XenHost } from '../../../src/io/xen/xen-host.js'
import { connectXenStore } from '../../../src/io/xenstore/client.js'

const [domid, port, ...grefs] = process.argv.slice(2).map(Number)
const store = await connectXenStore('/run/xenstored/socket')
const host = new XenHost({ domainKnown: (id) => store.isDomainIntroduced(id) })
const ring = await host.mapRing({ domid, grefs, abi: 'x86_64' })
const channel = await host.bindChannel(domid, port)
await store.write('/contract', 'written by one who is dead')
if (ring.ok) new Int32Array(view(ring.plan.ringHandle))[1] = 0x0dead
console.log(ring.ok && channel.ok ? 'ready' : JSON.stringify([ring, channel]))
