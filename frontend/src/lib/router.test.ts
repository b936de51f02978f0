import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { router } from './router.svelte'

let stop: () => void

beforeEach(() => {
  history.replaceState(null, '', '/processes?q=nginx&sort=rss')
  stop = router.start()
})
afterEach(() => {
  stop()
  document.body.replaceChildren()
})

function click(link: string, event: MouseEventInit = {}): boolean {
  document.body.innerHTML = link
  const inner = document.body.querySelector('b') ?? document.body.querySelector('a')
  return inner?.dispatchEvent(
    new MouseEvent('click', { bubbles: true, cancelable: true, ...event }),
  ) as boolean
}

describe('the router', () => {
  it('starts where the browser is', () => {
    expect(router.path).toBe('/processes')
    expect(router.query.get('q')).toBe('nginx')
  })

  it('changes one part of the query and keeps the rest', () => {
    expect(router.with({ q: 'a&b' })).toBe('/processes?q=a%26b&sort=rss')
    expect(router.with({ q: '', sort: '' })).toBe('/processes')
  })

  it('makes the URLs of many rows, and leaves out what another one has', () => {
    const opening = router.each('open', { q: '' })
    expect(opening('a b&c')).toBe('/processes?sort=rss&open=a%20b%26c')
    router.go('/log?open=1')
    expect(router.each('open')('2')).toBe('/log?open=2')
  })

  it('counts moves to other pages, not changes of the query', () => {
    const before = router.visits
    router.go(router.with({ q: 'sshd' }), 'replace')
    expect(router.visits).toBe(before)
    expect(location.search).toBe('?q=sshd&sort=rss')
    router.go('/log')
    expect(router.visits).toBe(before + 1)
    expect(location.pathname).toBe('/log')
  })

  it('follows Back', () => {
    router.go('/log')
    history.replaceState(null, '', '/host')
    dispatchEvent(new PopStateEvent('popstate'))
    expect(router.path).toBe('/host')
  })

  it('takes links within the app, clicked on anything in them', () => {
    expect(click('<a href="/services?q=x"><b>Services</b></a>')).toBe(false)
    expect(router.path).toBe('/services')
    expect(router.query.get('q')).toBe('x')
  })

  it.each([
    ['with a modifier', '<a href="/log">x</a>', { ctrlKey: true }],
    ['with another button', '<a href="/log">x</a>', { button: 1 }],
    ['to elsewhere', '<a href="https://example.org/">x</a>', {}],
    ['to the interface', '<a href="/api/v1/operations/export?format=csv">x</a>', {}],
    ['for another window', '<a href="/log" target="_blank">x</a>', {}],
    ['within the page', '<a href="#content">x</a>', {}],
  ])('leaves a link %s to the browser', (_, link, event) => {
    document.addEventListener('click', (e) => e.preventDefault(), { once: true })
    click(link, event)
    expect(router.path).toBe('/processes')
  })
})
