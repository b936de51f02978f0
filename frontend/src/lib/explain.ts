import type { ApiError } from './api'
import { i18n } from './i18n.svelte'

/**
 * A refusal in words. The server's own sentence says it all; who does not read its language, and has no words for it, is
 * told first what it comes down to.
 */
export function explain(failure: ApiError, signingIn = false): { title: string; detail: string } {
  const { factor, failures, login } = i18n.t
  const { code } = failure
  if (failure.secondFactor) return { title: factor.codeWrong, detail: '' }
  if (signingIn && code === 'unauthenticated') return { title: login.wrong, detail: '' }
  const words = i18n.say(failure.message)
  const said = sentence(words)
  const ours = code === 'unreachable' || code === 'unreadable'
  const foreign = i18n.language !== 'en' && words === failure.message
  if (said === '' || ours || foreign) return { title: failures[code], detail: said }
  return { title: said, detail: '' }
}

/** The same in one line, as it is told at a field. */
export function explainInLine(failure: ApiError): string {
  const { title, detail } = explain(failure)
  return `${title} ${detail}`.trim()
}

/** With a capital and a full stop, unless it begins with a name. */
export function sentence(text: string): string {
  const trimmed = text.trim()
  const begun = /^[a-z]+[ ,]/.test(trimmed)
    ? trimmed.charAt(0).toUpperCase() + trimmed.slice(1)
    : trimmed
  if (begun === '' || /[.!?:…。！？：]$/.test(begun)) return begun
  return /\p{Script=Han}/u.test(begun) ? `${begun}。` : `${begun}.`
}
