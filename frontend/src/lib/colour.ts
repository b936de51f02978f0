import { theme } from './theme.svelte'

const known = new Map<string, string>()
let probe: HTMLElement | null = null

/** A colour token as the browser works it out: a canvas knows no light-dark(). Each is asked for once a theme. */
export function colour(name: string): string {
  const key = `${theme.chosen} ${theme.dark} ${name}`
  let worked = known.get(key)
  if (worked === undefined) {
    probe ??= document.body.appendChild(document.createElement('i'))
    probe.hidden = true
    probe.style.color = `var(${name})`
    worked = getComputedStyle(probe).color
    known.set(key, worked)
  }
  return worked
}
