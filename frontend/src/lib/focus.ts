/** Goes to the rows of the page's list, where it has one: keys move through them from there. Says whether there are any. */
export function toRows(): boolean {
  const rows = document.querySelector<HTMLElement>('[data-rows]')
  rows?.focus()
  return rows !== null
}
