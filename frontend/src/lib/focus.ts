/** Goes to the first field of a form that is empty, where the form is still there. */
export function toEmpty(form: HTMLFormElement | null | undefined) {
  const fields = [...(form?.elements ?? [])].filter(
    (element) => element instanceof HTMLInputElement,
  )
  fields.find(({ value }) => value === '')?.focus()
}

/** Goes to the rows of the page's list, where it has one: keys move through them from there. Says whether there are any. */
export function toRows(): boolean {
  const rows = document.querySelector<HTMLElement>('[data-rows]')
  rows?.focus()
  return rows !== null
}
