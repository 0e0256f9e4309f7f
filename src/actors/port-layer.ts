/**
 * @packageDocumentation
 * A layer around a port: some of its members are the layer's, everything else goes through to the port. Kill points,
 * the watchers of laws and planted faults are such layers; a port that gets a member more needs no change in them.
 *
 *   plane ─► layer.take (its own) ─► port.take     plane ─► layer.arm ─► port.arm     layer.at = 5 ─► port.at = 5
 *
 * Not for the data path as it serves guests: every call goes through a function more. Methods are those that the port
 * had when it was layered.
 */

/** `port` with what `changed` has in front of it; accessors of either stay accessors. */
export function layered<Port extends object>(port: Port, changed: Partial<Port>): Port {
  const layer = {}
  for (let level: unknown = port; isLevel(level); level = Object.getPrototypeOf(level))
    for (const [name, { value }] of Object.entries(Object.getOwnPropertyDescriptors(level)))
      if (name !== 'constructor' && !(name in layer))
        Object.defineProperty(layer, name, typeof value === 'function' ? calling(port, name) : through(port, name))
  return Object.defineProperties(layer, Object.getOwnPropertyDescriptors(changed)) as Port
}

const isLevel = (level: unknown): level is object =>
  typeof level === 'object' && level !== null && level !== Object.prototype

type Members = Record<string, (...values: unknown[]) => unknown>

/** The port is `this` of its own methods. Bound, because a list of arguments would be allocated at every call. */
function calling(port: object, name: string): PropertyDescriptor {
  const value = (port as Members)[name].bind(port)
  return { configurable: true, enumerable: true, writable: true, value }
}

function through(port: object, name: string): PropertyDescriptor {
  return {
    configurable: true,
    enumerable: true,
    get: () => (port as Members)[name],
    set: (value) => void ((port as Record<string, unknown>)[name] = value),
  }
}
