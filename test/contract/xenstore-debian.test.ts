/** The C xenstored of Debian, judged by the same contract: what we demand of XenStore is what XenStore does. */
import { connectXenStore } from '../../src/io/xenstore/client.js'
import { obtainXenstored, startDebianXenstored } from '../rig/debian-xenstored.js'
import { testWith } from '../support/clients.js'
import { xenStoreContract } from './xenstore.js'

const obtained = obtainXenstored()

if ('binary' in obtained)
  xenStoreContract("Debian's xenstored", async () => {
    const { socket, stop } = await startDebianXenstored(obtained.binary)
    return { connect: () => connectXenStore(socket), stop }
  })
else testWith([`Debian's xenstored (${obtained.missing})`], 'XenStore contract', () => Promise.resolve())
