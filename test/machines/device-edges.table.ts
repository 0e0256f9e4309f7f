/**
 * @packageDocumentation
 * The specification of the device against its front end: `state | what the front end says | new state, effects`, where
 * `=` stands for the same state. Pairs that are not listed change nothing but memory: they stay and ask for nothing.
 */
export const edgeTable = `
InitWait.waiting | Unknown | Closing.closingMedium closeMedium
InitWait.waiting | Initialised | Connecting.negotiating readFrontend
InitWait.waiting | Connected | Connecting.negotiating readFrontend
InitWait.waiting | Closing | Closing.waiting → Closing
InitWait.waiting | Closed | Closing.closingMedium closeMedium
Connecting.negotiating | Closing | = → Closing
Connecting.openingGrants | Closing | = → Closing
Connecting.mappingRing | Closing | = → Closing
Connecting.bindingChannel | Closing | = → Closing
Connecting.attachingQueue | Closing | = → Closing
Connecting.publishing | Closing | = → Closing
Recovering.readingJournal | Unknown | Closing.closingMedium closeMedium
Recovering.readingJournal | Initialising | Closing.closingMedium closeMedium
Recovering.openingMedium | Unknown | Closing.closingMedium closeMedium
Recovering.openingMedium | Initialising | Closing.closingMedium closeMedium
Connected.intake.Running Connected.medium.Present | Unknown | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Present | Initialising | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Present | Initialised | = readFrontend
Connected.intake.Running Connected.medium.Present | Closing | Closing.serving → Closing
Connected.intake.Running Connected.medium.Present | Closed | Closing.draining drainQueue
Connected.intake.Shortage Connected.medium.Present | Unknown | Closing.abandoning abandonQueue
Connected.intake.Shortage Connected.medium.Present | Initialising | Closing.abandoning abandonQueue
Connected.intake.Shortage Connected.medium.Present | Initialised | = readFrontend
Connected.intake.Shortage Connected.medium.Present | Closing | Closing.serving → Closing
Connected.intake.Shortage Connected.medium.Present | Closed | Closing.draining drainQueue
Connected.intake.Throttled Connected.medium.Present | Unknown | Closing.abandoning abandonQueue
Connected.intake.Throttled Connected.medium.Present | Initialising | Closing.abandoning abandonQueue
Connected.intake.Throttled Connected.medium.Present | Initialised | = readFrontend
Connected.intake.Throttled Connected.medium.Present | Closing | Closing.serving → Closing
Connected.intake.Throttled Connected.medium.Present | Closed | Closing.draining drainQueue
Connected.intake.Full Connected.medium.Present | Unknown | Closing.abandoning abandonQueue
Connected.intake.Full Connected.medium.Present | Initialising | Closing.abandoning abandonQueue
Connected.intake.Full Connected.medium.Present | Initialised | = readFrontend
Connected.intake.Full Connected.medium.Present | Closing | Closing.serving → Closing
Connected.intake.Full Connected.medium.Present | Closed | Closing.draining drainQueue
Connected.intake.Running Connected.medium.Resizing | Unknown | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Resizing | Initialising | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Resizing | Initialised | = readFrontend
Connected.intake.Running Connected.medium.Resizing | Closing | Closing.serving → Closing
Connected.intake.Running Connected.medium.Resizing | Closed | Closing.draining drainQueue
Connected.intake.Shortage Connected.medium.Resizing | Unknown | Closing.abandoning abandonQueue
Connected.intake.Shortage Connected.medium.Resizing | Initialising | Closing.abandoning abandonQueue
Connected.intake.Shortage Connected.medium.Resizing | Initialised | = readFrontend
Connected.intake.Shortage Connected.medium.Resizing | Closing | Closing.serving → Closing
Connected.intake.Shortage Connected.medium.Resizing | Closed | Closing.draining drainQueue
Connected.intake.Full Connected.medium.Resizing | Unknown | Closing.abandoning abandonQueue
Connected.intake.Full Connected.medium.Resizing | Initialising | Closing.abandoning abandonQueue
Connected.intake.Full Connected.medium.Resizing | Initialised | = readFrontend
Connected.intake.Full Connected.medium.Resizing | Closing | Closing.serving → Closing
Connected.intake.Full Connected.medium.Resizing | Closed | Closing.draining drainQueue
Connected.intake.Running Connected.medium.Changing.ejecting | Unknown | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.ejecting | Initialising | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.ejecting | Initialised | = readFrontend
Connected.intake.Running Connected.medium.Changing.ejecting | Closing | Closing.serving → Closing
Connected.intake.Running Connected.medium.Changing.ejecting | Closed | Closing.draining drainQueue
Connected.intake.Running Connected.medium.Changing.closingOld | Unknown | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.closingOld | Initialising | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.closingOld | Initialised | = readFrontend
Connected.intake.Running Connected.medium.Changing.closingOld | Closing | Closing.serving → Closing
Connected.intake.Running Connected.medium.Changing.closingOld | Closed | Closing.draining drainQueue
Connected.intake.Running Connected.medium.Changing.opening | Unknown | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.opening | Initialising | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.opening | Initialised | = readFrontend
Connected.intake.Running Connected.medium.Changing.opening | Closing | Closing.serving → Closing
Connected.intake.Running Connected.medium.Changing.opening | Closed | Closing.draining drainQueue
Connected.intake.Running Connected.medium.Changing.announcing | Unknown | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.announcing | Initialising | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.announcing | Initialised | = readFrontend
Connected.intake.Running Connected.medium.Changing.announcing | Closing | Closing.serving → Closing
Connected.intake.Running Connected.medium.Changing.announcing | Closed | Closing.draining drainQueue
Closing.serving | Unknown | Closing.abandoning stopTimer abandonQueue
Closing.serving | Initialising | Closing.abandoning stopTimer abandonQueue
Closing.serving | Closed | Closing.draining stopTimer drainQueue
Closing.waiting | Unknown | Closing.closingMedium closeMedium
Closing.waiting | Initialising | Closing.closingMedium closeMedium
Closing.waiting | Initialised | Connecting.negotiating readFrontend
Closing.waiting | Connected | Connecting.negotiating readFrontend
Closing.waiting | Closed | Closing.closingMedium closeMedium
Closing.draining | Unknown | Closing.abandoning abandonQueue
Closing.draining | Initialising | Closing.abandoning abandonQueue
Parking.draining | Unknown | Parking.abandoning abandonQueue
Parking.draining | Initialising | Parking.abandoning abandonQueue
Closed.waiting | Initialising | Initialising.reading readNodes
Closed.waiting | Initialised | Initialising.reading readNodes
Closed.waiting | Connected | Initialising.reading readNodes
`.trim()

/** `state | new state, effects` when the domain of the guest is gone. */
export const domainGoneTable = `
Initialising.incomplete | Closed.orphaned → Closed reportEnded
Initialising.openingMedium | Closing.closingMedium closeMedium
InitWait.waiting | Closing.closingMedium closeMedium
Recovering.readingJournal | Closing.closingMedium closeMedium
Recovering.openingMedium | Closing.closingMedium closeMedium
Connected.intake.Running Connected.medium.Present | Closing.abandoning abandonQueue
Connected.intake.Shortage Connected.medium.Present | Closing.abandoning abandonQueue
Connected.intake.Throttled Connected.medium.Present | Closing.abandoning abandonQueue
Connected.intake.Full Connected.medium.Present | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Resizing | Closing.abandoning abandonQueue
Connected.intake.Shortage Connected.medium.Resizing | Closing.abandoning abandonQueue
Connected.intake.Full Connected.medium.Resizing | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.ejecting | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.closingOld | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.opening | Closing.abandoning abandonQueue
Connected.intake.Running Connected.medium.Changing.announcing | Closing.abandoning abandonQueue
Closing.serving | Closing.abandoning stopTimer abandonQueue
Closing.waiting | Closing.closingMedium closeMedium
Closing.draining | Closing.abandoning abandonQueue
Parking.draining | Parking.abandoning abandonQueue
Closed.waiting | Closed.orphaned reportEnded
`.trim()
