/**
 * @packageDocumentation
 * The keys by which a front end connects: what is missing, what cannot be used, and what says the same thing twice, so
 * that another back end may take the other word for it.
 */
import { FRONTEND_KEYS as K, queueKey, ringRefKey } from '../../protocol/keys.js'
import { negotiate } from '../../protocol/negotiation.js'
import type { FrontendKeys } from '../../protocol/negotiation.js'
import { present } from '../../protocol/parse.js'
import type { Rule, RuleGroup } from '../rule.js'

const KEYS_MISSING: Rule = {
  name: 'keys-missing',
  severity: 'error',
  section: 'io/blkif.h, Request Transport Parameters',
  what: 'goes to Initialised or Connected before its ring and its event channel stand in XenStore',
  cure: 'write event-channel and ring-ref (or ring-ref0 …) first, in one transaction with the state or before it',
}

const KEYS_UNUSABLE: Rule = {
  name: 'keys-unusable',
  severity: 'error',
  section: 'io/blkif.h, Request Transport Parameters',
  what: 'asks for a ring that was not offered, or says something that means nothing',
  cure: 'read max-ring-page-order and multi-queue-max-queues, and stay within them; numbers are decimal',
}

const RING_REF_TWICE: Rule = {
  name: 'ring-ref-twice',
  severity: 'warning',
  section: 'io/blkif.h, note 6',
  what: 'writes both ring-ref and ring-ref0',
  cure: 'write ring-ref for one page, and ring-ref0 … alone for more; remove what an earlier driver left there',
}

const PROTOCOL_MISSING: Rule = {
  name: 'protocol-missing',
  severity: 'note',
  section: 'io/protocols.h, XEN_IO_PROTO_ABI_NATIVE',
  what: 'does not say in which ABI it writes entries',
  cure: 'write `protocol`: where it is missing some back ends take x86_32-abi and some their own',
}

/** Any word for a ring: of one queue or the first of several, of any scheme. */
function namesRing(keys: FrontendKeys): boolean {
  const names = [K.ringRef, ringRefKey(0), queueKey(0, 2, K.ringRef), queueKey(0, 2, ringRefKey(0))]
  return names.some((name) => present(keys[name]) !== undefined)
}

function namesChannel(keys: FrontendKeys): boolean {
  return [K.eventChannel, queueKey(0, 2, K.eventChannel)].some((name) => present(keys[name]) !== undefined)
}

export const keys: RuleGroup = {
  rules: [KEYS_MISSING, KEYS_UNUSABLE, RING_REF_TWICE, PROTOCOL_MISSING],
  device: (blame) => ({
    keys: (found, limits) => {
      const negotiated = negotiate(found, limits)
      if (!negotiated.ok) {
        const missing = !namesRing(found) || !namesChannel(found)
        return blame(missing ? KEYS_MISSING : KEYS_UNUSABLE, () => negotiated.sentence)
      }
      const twice = present(found[K.ringRef]) !== undefined && present(found[ringRefKey(0)]) !== undefined
      if (twice) blame(RING_REF_TWICE, () => `ring-ref ${found[K.ringRef]}, ring-ref0 ${found[ringRefKey(0)]}`)
      if (present(found[K.protocol]) === undefined) blame(PROTOCOL_MISSING, () => 'there is no node protocol')
    },
  }),
}
