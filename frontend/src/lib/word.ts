/** How long a row may take to be there again. In milliseconds. */
const patience = 2_000

/**
 * To be told of each click on a row. It opens at once what it opens, though it may be the first of the two that select a word:
 * then the second takes back what the first did, and selects the word that was there.
 */
export function orWord(event: MouseEvent) {
  const { detail, clientX: x, clientY: y } = event
  if (detail !== 1 || !(event instanceof PointerEvent) || event.pointerType !== 'mouse') return
  if (!wordAt(x, y)) return
  const before = location.href
  const pressed = (event: MouseEvent) => {
    if (event.detail !== 2 || location.href === before) return
    swallow(event)
    addEventListener('click', swallow, { capture: true, once: true })
    addEventListener('popstate', () => void selectWord(x, y), { once: true })
    history.back()
  }
  addEventListener('mousedown', pressed, { capture: true, once: true })
}

function swallow(event: MouseEvent) {
  event.preventDefault()
  event.stopImmediatePropagation()
}

/** Selects the word at a point of the window, once a row is there. */
async function selectWord(x: number, y: number) {
  const until = performance.now() + patience
  do await new Promise(requestAnimationFrame)
  while (!document.elementFromPoint(x, y)?.closest('[data-index]') && performance.now() < until)
  const word = wordAt(x, y)
  if (word) getSelection()?.setBaseAndExtent(word.text, word.from, word.text, word.to)
}

/** The word whose letters are at a point of the window; null where there are none, or the browser cannot tell. */
function wordAt(x: number, y: number): { text: Text; from: number; to: number } | null {
  if (!('caretPositionFromPoint' in document)) return null
  const { offsetNode: text, offset } = document.caretPositionFromPoint(x, y) ?? {}
  if (!(text instanceof Text) || offset === undefined) return null
  const range = document.createRange()
  for (const at of [offset - 1, offset]) {
    if (at < 0 || at >= text.length) continue
    range.setStart(text, at)
    range.setEnd(text, at + 1)
    const { left, right } = range.getBoundingClientRect()
    if (x < left || x > right) continue
    const word = new Intl.Segmenter(undefined, { granularity: 'word' })
      .segment(text.data)
      .containing(at)
    if (!word || word.segment.trim() === '') continue
    return { text, from: word.index, to: word.index + word.segment.length }
  }
  return null
}
