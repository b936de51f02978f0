import { i18n } from './i18n.svelte'
import type { Process } from './wire.gen'

const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB']

/** A size in bytes with three significant digits at most: 512 B, 1.50 KiB, 23.4 GiB. */
export function bytes(n: number): string {
  let unit = 0
  while (n >= 999.5 && unit < binaryUnits.length - 1) {
    n /= 1024
    unit++
  }
  const digits = unit === 0 || n >= 99.95 ? 0 : n >= 9.995 ? 1 : 2
  return `${n.toFixed(digits)} ${binaryUnits[unit]}`
}

/** Bytes a second. */
export function rate(n: number): string {
  return `${bytes(n)}/s`
}

/** A percentage without its sign, as top shows it. */
export function percent(n: number): string {
  return n.toFixed(1)
}

const made = new Map<string, unknown>()

/** Intl's formatters are slow to make and quick to use. */
function once<T>(key: string, make: (locale: string) => T): T {
  const { locale } = i18n
  const id = locale + key
  let formatter = made.get(id) as T | undefined
  if (!formatter) made.set(id, (formatter = make(locale)))
  return formatter
}

/** A whole number, grouped as both languages do. */
export function integer(n: number): string {
  return `${n}`.replace(/\B(?=(\d{3})+$)/g, ',')
}

/** A span of time by its two largest units: 3d 4h, 5m 12s, 0s. */
export function duration(seconds: number): string {
  const { units } = i18n.t
  const whole = Math.max(0, Math.round(seconds))
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), units.day],
    [Math.floor(whole / 3600) % 24, units.hour],
    [Math.floor(whole / 60) % 60, units.minute],
    [whole % 60, units.second],
  ]
  const first = parts.findIndex(([n]) => n > 0)
  if (first < 0) return `0${units.second}`
  return parts
    .slice(first, first + 2)
    .filter(([n], i) => i === 0 || n > 0)
    .map(([n, unit]) => n + unit)
    .join(' ')
}

/** How long something took, which may be well under a second: 20 ms, 1.3 s, 5m 12s. */
export function took(seconds: number): string {
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  return seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds)
}

export function dateTime(iso: string): string {
  return once(
    'dateTime',
    (locale) =>
      new Intl.DateTimeFormat(locale, {
        dateStyle: 'medium',
        timeStyle: 'medium',
        hourCycle: 'h23',
      }),
  ).format(new Date(iso))
}

/** The zone that times are shown in, at that time: summer has another one. */
export function zone(iso: string): string {
  return (
    once('zone', (locale) => new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }))
      .formatToParts(new Date(iso))
      .find(({ type }) => type === 'timeZoneName')?.value ?? ''
  )
}

const twoDigits = (n: number) => `${n}`.padStart(2, '0')

export function clock(at: Date): string {
  return `${hour(at)}:${twoDigits(at.getSeconds())}`
}

/** The time without its seconds. */
export function hour(at: Date): string {
  return `${twoDigits(at.getHours())}:${twoDigits(at.getMinutes())}`
}

export function day(at: Date): string {
  return once('day', (locale) => new Intl.DateTimeFormat(locale, { dateStyle: 'medium' })).format(
    at,
  )
}

/** When something began, as short as it can be told: the time if it was today, else the day. */
export function began(iso: string, now: number): string {
  const at = new Date(iso)
  if (at.toDateString() === new Date(now).toDateString()) return clock(at)
  return day(at)
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86400],
  ['hour', 3600],
  ['minute', 60],
  ['second', 1],
]

/** A moment as seen from now: 5 minutes ago, in 2 hours, tomorrow. */
export function relative(iso: string, now: number): string {
  const seconds = (Date.parse(iso) - now) / 1000
  const [unit, length] = steps.find(([, length]) => Math.abs(seconds) >= length) ?? ['second', 1]
  return once(
    'relative',
    (locale) => new Intl.RelativeTimeFormat(locale, { numeric: 'auto' }),
  ).format(Math.round(seconds / length), unit)
}

/** The command line of a process as ps writes it: in brackets the name of one that has none. What ended too soon may have neither. */
export function commandLine({ cmdline, comm }: Pick<Process, 'cmdline' | 'comm'>): string {
  return cmdline || (comm === '' ? i18n.t.unknown : `[${comm}]`)
}

/** An address with its port as ss writes them: IPv6 in brackets, port 0 as a star. */
export function endpoint(address: string, port: number): string {
  const host = address.includes(':') ? `[${address}]` : address
  return `${host}:${port === 0 ? '*' : port}`
}
