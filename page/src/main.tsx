/**
 * @packageDocumentation
 * The page's first lines: puts the application into its element, in place of the words that stood there while it was
 * loading. Everything else is in app.tsx.
 */
import { render } from 'preact'
import { App } from './app.js'

const element = document.getElementById('app')
if (element !== null) {
  element.replaceChildren()
  render(<App />, element)
}
