/** Goes to the first field of a form that is empty, where the form is still there. */
export function toEmpty(form: HTMLFormElement | null | undefined) {
  const fields = [...(form?.elements ?? [])].filter(
    (element) => element instanceof HTMLInputElement,
  )
  fields.find(({ value }) => value === '')?.focus()
}

/** Goes to the first field of a form that is wrong, to write over what is in it. */
export function toWrong(form: HTMLFormElement | null | undefined) {
  const field = form?.querySelector<HTMLInputElement>('[aria-invalid="true"]')
  field?.focus()
  field?.select()
}

/** Goes to the rows of the page's list, where it has one: keys move through them from there. Says whether there are any. */
export function toRows(): boolean {
  const rows = document.querySelector<HTMLElement>('[data-rows]')
  rows?.focus()
  return rows !== null
}

/** Goes to the first of those rows; where there is none, to their place. */
export function toFirstRow() {
  const options = { key: 'Home', bubbles: true, cancelable: true }
  if (toRows()) document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', options))
}

/** Goes to the search of the page's list, where it has one. Says whether it has. */
export function toSearch(): boolean {
  const search = document.querySelector<HTMLElement>('[data-search]')
  search?.focus()
  return search !== null
}

/**
 * Keeps the focus from getting lost: where what has it leaves the page, it goes to the nearest thing around that can have
 * it, or to the heading there. A button that is disabled while it waits for an answer has it again then. Returns what ends
 * that.
 */
export function keepFocus(): () => void {
  let path: HTMLElement[] = []
  const came = ({ target }: FocusEvent) => {
    path = []
    for (let at = target as HTMLElement | null; at; at = at.parentElement) path.push(at)
  }
  const observer = new MutationObserver((changes) => {
    const [last] = path
    if (!last) return
    if (last.isConnected) {
      const waited = changes.some(({ type, target }) => type === 'attributes' && target === last)
      if (waited && document.activeElement === document.body) last.focus({ preventScroll: true })
      return
    }
    const around = path.filter((element) => element.isConnected)
    path = []
    if (document.activeElement !== document.body) return
    for (const element of around) {
      const to = element.hasAttribute('tabindex')
        ? element
        : element.querySelector<HTMLElement>('h1, h2, h3')
      if (!to) continue
      if (!to.hasAttribute('tabindex')) to.tabIndex = -1
      return to.focus({ preventScroll: true })
    }
  })
  document.addEventListener('focusin', came)
  const attributeFilter = ['disabled']
  observer.observe(document.body, { childList: true, subtree: true, attributeFilter })
  return () => {
    document.removeEventListener('focusin', came)
    observer.disconnect()
  }
}
