import { expect, it } from 'vitest'
import { draftOf } from './draft.svelte'

it('is kept for who wrote it, and for nobody else', () => {
  draftOf('ada').command = 'make all'
  expect(draftOf('ada').command).toBe('make all')
  expect(draftOf('grace').command).toBe('')
  expect(draftOf('ada').command).toBe('')
})
