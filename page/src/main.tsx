/**
 * @packageDocumentation
 * The page's first lines: the application, into its element.
 */
import { render } from 'preact'
import { App } from './app.js'

const element = document.getElementById('app')
if (element !== null) {
  element.replaceChildren()
  render(<App />, element)
}
