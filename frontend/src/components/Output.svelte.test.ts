import { flushSync, mount, unmount } from 'svelte'
import { afterEach, expect, it, vi } from 'vitest'
import { api } from '../lib/api'
import type { OutputReply } from '../lib/wire.gen'
import Output from './Output.svelte'

// As many lines as it takes would take the page that is played here seconds.
vi.mock('../lib/ansi', async (original) => {
  const { AnsiText } = await original<typeof import('../lib/ansi')>()
  return {
    AnsiText: class extends AnsiText {
      constructor() {
        super(25)
      }
    },
  }
})

let component: object
afterEach(() => {
  void unmount(component)
  vi.restoreAllMocks()
})

const lines = (n: number) => Array.from({ length: n }, (_, i) => `line ${i}\n`).join('')

it.each<[string, string, OutputReply['lost'], RegExp]>([
  ['all of it', lines(20), undefined, /^Output ?line 0 ?line 1 ?l.*line 19$/],
  [
    'the first part of much',
    `…${lines(20)}`,
    'end',
    /line 19 It wrote more .*: this is the first part/,
  ],
  ['its end, as the log keeps it', `…${lines(20)}`, 'start', /this is the end of it\. ?…line 0/],
  ['the last of many lines', lines(40), undefined, /not shown: 16\. ?line 16 ?l.*line 39$/],
])('tells which part of what a command wrote is shown: %s', async (_, text, lost, said) => {
  const reply: OutputReply = { text, truncated: lost !== undefined }
  vi.spyOn(api, 'call').mockResolvedValue(lost ? { ...reply, lost } : reply)
  component = mount(Output, { target: document.body, props: { id: '7', running: false } })
  flushSync()
  await vi.waitFor(() => expect(document.querySelector('li')).not.toBeNull(), 60_000)
  const shown = document.querySelector('section')?.textContent ?? ''
  expect(shown.replace(/\s+/g, ' ').trim()).toMatch(said)
})
