import Unplug from '@lucide/svelte/icons/unplug'
import { createRawSnippet, flushSync, mount, unmount } from 'svelte'
import { afterEach, expect, it } from 'vitest'
import TopBanner from './TopBanner.svelte'

let component: object
afterEach(() => void unmount(component))

const children = createRawSnippet(() => ({ render: () => '<button>Try now</button>' }))

it.each([
  ['a warning', { icon: Unplug, warn: true }, 'No connection', true, true],
  ['news', {}, 'No connection', false, false],
])('%s has a name, its text, and what one can do', (_, part, label, drawn, warns) => {
  const props = { label, text: 'The server does not answer.', children, ...part }
  component = mount(TopBanner, { target: document.body, props })
  flushSync()
  const banner = document.querySelector(`section[aria-label="${label}"]`)
  expect(banner?.textContent.trim()).toBe('The server does not answer. Try now')
  expect(banner?.querySelector('p > svg') !== null).toBe(drawn)
  expect(banner?.classList.contains('warn')).toBe(warns)
})
