/** Whether text is selected in there: who wants to copy it wants it to stay where it is. */
export function isSelectedIn(element: Element | undefined): boolean {
  const { isCollapsed = true, anchorNode = null } = getSelection() ?? {}
  return !isCollapsed && (element?.contains(anchorNode) ?? false)
}
