/**
 * @packageDocumentation
 * What pictures look like, as one style sheet that every one of them carries: quiet paper, blue for Xen's words, green
 * for ours, red for what went wrong, in light and in dark. Every rule begins with the picture's own class, so that
 * several pictures, and a page around them, do not paint each other. `.active` and `.taken` are for that page: a state
 * that an actor is in, an arrow that was followed last.
 */
/** Of each tone: a state, a box of states, their border. */
const COLOURS = {
  light: {
    paper: '#fbfaf7', text: '#1f2933', quiet: '#5b6570', line: '#4b5563',
    xen: ['#e3edf8', '#f3f8fd', '#4d79a8'],
    ours: ['#e6f1e8', '#f4f8f3', '#5f8f6c'],
    failure: ['#fae6e1', '#fdf3f0', '#b5503c'],
    world: ['#eeece6', '#f6f5f1', '#7b7464'],
  },
  dark: {
    paper: '#16191d', text: '#e6e9ed', quiet: '#a9b2bd', line: '#b3bcc8',
    xen: ['#21374f', '#192531', '#6f9bcb'],
    ours: ['#21392a', '#1a231d', '#6fae82'],
    failure: ['#4a251e', '#2a1c19', '#e08a75'],
    world: ['#2a2e34', '#1e2226', '#a09880'],
  },
} as const

function rules(colours: (typeof COLOURS)['light'] | (typeof COLOURS)['dark']): string[] {
  const tones = (['xen', 'ours', 'failure', 'world'] as const).flatMap((tone) => {
    const [leaf, group, border] = colours[tone]
    return [
      `.${tone} > .leaf { fill: ${leaf}; stroke: ${border} }`,
      `.${tone} > .group { fill: ${group}; stroke: ${border} }`,
      `.${tone} > .inner { stroke: ${border} }`,
    ]
  })
  return [
    `text { fill: ${colours.text} }`,
    `text.note { fill: ${colours.quiet} }`,
    ...tones,
    `.paper { fill: ${colours.paper} }`,
    `.depth-0 { fill: ${colours.paper} !important }`,
    `.line { stroke: ${colours.line} }`,
    `.dot, .head { fill: ${colours.line} }`,
    `.failure > .line { stroke: ${colours.failure[2]} }`,
    `.failure-head { fill: ${colours.failure[2]} }`,
  ]
}

const scoped = (list: readonly string[], indent: string) =>
  list.map((rule) => {
    const [selectors, body] = rule.split(/ (?=\{)/)
    return `${indent}${selectors.split(', ').map((one) => `.xbbd-chart ${one}`).join(', ')} ${body}\n`
  })

const FIXED = [
  "text { font-family: system-ui, 'DejaVu Sans', 'Liberation Sans', sans-serif; font-size: 11px }",
  'text.name { font-size: 14px; font-weight: 600 }',
  'text.part { font-weight: 600 }',
  '.leaf, .group { stroke-width: 1.2 }',
  '.inner { fill: none }',
  '.line { fill: none; stroke-width: 1.3 }',
  '.world > .line { stroke-width: 2.6; stroke-dasharray: 7 4 }',
  '.paper { opacity: 0.88 }',
  '.state.active > .leaf, .state.active > .group { stroke-width: 3.5 }',
  '.arrow.taken > .line { stroke-width: 3 }',
]

/** The style sheet. */
export const look = [
  ...scoped([...FIXED, ...rules(COLOURS.light)], ''),
  '@media (prefers-color-scheme: dark) {\n',
  ...scoped(rules(COLOURS.dark), '  '),
  '}\n',
].join('')
