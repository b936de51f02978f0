/**
 * Takes the set-up token out of the URL: from here on it is in memory only, and in no history, bookmark or screenshot.
 */
export function takeToken(): string | null {
  const token = new URLSearchParams(location.hash.slice(1)).get('token')
  if (token !== null) history.replaceState(null, '', location.pathname + location.search)
  return token
}

const namePattern = /^[a-z_][a-z0-9_.-]{0,31}$/

export function isUserName(name: string): boolean {
  return namePattern.test(name)
}

/** Passwords are counted in characters, as the server counts them. */
export function isPassword(password: string): boolean {
  const { length } = [...password]
  return length >= 12 && length <= 256
}
