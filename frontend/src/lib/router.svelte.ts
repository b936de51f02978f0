/** Where a list is scrolled to: its first row in sight, and by how much that row is out of sight already. */
export interface Place {
  key: string
  top: number
  beyond: number
}

/** Where the browser is: real URLs, so that reload, Back and a shared link work. */
class Router {
  #location = $state.raw(new URL('http://localhost/'))
  #visits = $state(0)

  readonly path = $derived(this.#location.pathname)
  readonly query = $derived(this.#location.searchParams)
  /** Rises with every move to another page; not when only the query changes. */
  readonly visits = $derived(this.#visits)

  /** Tells where the page's list is scrolled to; null at its top. The list that is there sets it. */
  place: () => Place | null = () => null
  /** By steps of the browser's history, where the list was when one left. */
  #places = new Map<unknown, Place | null>()
  #step: unknown = null
  #last = Date.now()

  /** Where the list was when one left the step of the history that one has come back to. */
  get left(): Place | null {
    return this.#places.get(this.#step) ?? null
  }

  /** Starts following the browser's location; returns what stops it. */
  start(): () => void {
    this.#location = new URL(location.href)
    this.#step = history.state
    const moved = () => this.#arrive(new URL(location.href))
    const clicked = (event: MouseEvent) => this.#follow(event)
    addEventListener('popstate', moved)
    document.addEventListener('click', clicked)
    return () => {
      removeEventListener('popstate', moved)
      document.removeEventListener('click', clicked)
    }
  }

  /** Goes to a place within the app; replace leaves no step behind in the browser's history. */
  go(to: string, how: 'push' | 'replace' = 'push') {
    const next = new URL(to, this.#location)
    if (next.href === this.#location.href) return
    if (how === 'push') history.pushState(++this.#last, '', next)
    else history.replaceState(history.state, '', next)
    this.#arrive(next)
  }

  /** The URL of this page with some of its query changed; an empty value leaves the name out. */
  with(changes: Record<string, string>): string {
    const query = new URLSearchParams(this.#location.search)
    for (const [name, value] of Object.entries(changes)) {
      if (value === '') query.delete(name)
      else query.set(name, value)
    }
    const text = query.toString()
    return this.path + (text && '?' + text)
  }

  /** Makes the URLs of this page in which one name of the query has many values: those of the rows of a list. */
  each(name: string, changes: Record<string, string> = {}): (value: string) => string {
    const rest = this.with({ ...changes, [name]: '' })
    const begin = `${rest}${rest.includes('?') ? '&' : '?'}${name}=`
    return (value) => begin + encodeURIComponent(value)
  }

  #arrive(next: URL) {
    const moved = next.pathname !== this.#location.pathname
    if (moved) this.#places.set(this.#step, this.place())
    this.#step = history.state
    this.#location = next
    if (moved) this.#visits++
  }

  #follow(event: MouseEvent) {
    if (event.defaultPrevented || event.button !== 0) return
    if (event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    const link = event.target instanceof Element ? event.target.closest('a') : null
    if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin)
      return
    if (link.pathname.startsWith('/api/') || link.getAttribute('href')?.startsWith('#')) return
    event.preventDefault()
    this.go(link.href)
  }
}

export const router = new Router()

/** Texts, whatever they hold, as one value of a query. */
export function joined(texts: readonly string[]): string {
  return texts.map(encodeURIComponent).join(',')
}

/** The texts that joined made a value of; none of what it did not make. */
export function split(value: string | null): string[] {
  try {
    return value ? value.split(',').map(decodeURIComponent) : []
  } catch {
    return []
  }
}
