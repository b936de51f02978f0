import { afterEach, describe, expect, it } from 'vitest'
import {
  began,
  bytes,
  clock,
  commandLine,
  dateTime,
  duration,
  endpoint,
  hour,
  integer,
  percent,
  rate,
  relative,
  took,
} from './format'
import { i18n } from './i18n.svelte'

afterEach(() => (i18n.language = 'en'))

describe('bytes', () => {
  it.each([
    [0, '0 B'],
    [512, '512 B'],
    [1000, '0.98 KiB'],
    [1536, '1.50 KiB'],
    [25_125_558_681, '23.4 GiB'],
    [999.4, '999 B'],
    [1024 ** 2 * 99.97, '100 MiB'],
    [1024 ** 6, '1024 PiB'],
  ])('%d is %s', (n, text) => expect(bytes(n)).toBe(text))

  it('has a rate', () => expect(rate(2048)).toBe('2.00 KiB/s'))
})

describe('durations', () => {
  it.each([
    [0, '0s'],
    [-3, '0s'],
    [59.6, '1m'],
    [312, '5m 12s'],
    [3600, '1h'],
    [3605, '1h'],
    [372_605, '4d 7h'],
  ])('%d s is %s', (seconds, text) => expect(duration(seconds)).toBe(text))

  it('follow the language', () => {
    i18n.language = 'zh'
    expect(duration(312)).toBe('5分 12秒')
  })

  it.each([
    [0.0204, '20 ms'],
    [1.26, '1.3 s'],
    [75, '1m 15s'],
  ])('%d s took %s', (seconds, text) => expect(took(seconds)).toBe(text))
})

describe('times', () => {
  it.each(['en', 'zh'] as const)('begin a day with the hour 0: %s', (language) => {
    i18n.language = language
    const midnight = new Date(2026, 2, 14, 0, 0, 5)
    expect(clock(midnight)).toBe('00:00:05')
    expect(hour(midnight)).toBe('00:00')
    expect(dateTime(midnight.toISOString())).toMatch(/ 00:00:05$/)
  })

  const now = Date.parse('2026-03-14T09:26:53.589Z')

  it.each([
    ['2026-03-14T09:21:53Z', '5 minutes ago'],
    ['2026-03-14T11:26:54Z', 'in 2 hours'],
    ['2026-03-13T09:26:53Z', 'yesterday'],
    ['2026-03-14T09:26:53.589Z', 'now'],
  ])('%s is %s', (iso, text) => expect(relative(iso, now)).toBe(text))

  it('are told relative in Chinese', () => {
    i18n.language = 'zh'
    expect(relative('2026-03-14T09:21:53Z', now)).toBe('5分钟前')
  })

  it('show the time of what began today and the day of what did not', () => {
    expect(began('2026-03-14T09:00:01Z', now)).toMatch(/^\d\d:00:01$/)
    expect(began('2026-02-01T12:00:00Z', now)).toBe('Feb 1, 2026')
  })
})

describe('numbers', () => {
  it.each([
    [0, '0'],
    [999, '999'],
    [20_000, '20,000'],
    [1_234_567, '1,234,567'],
  ])('%d is written %s', (n, text) => expect(integer(n)).toBe(text))
  it('of percent have one digit after the point', () => expect(percent(12.34)).toBe('12.3'))
})

describe('command lines', () => {
  it.each([
    ['a program', { cmdline: 'sleep 1', comm: 'sleep' }, 'sleep 1'],
    ['a thread of the kernel', { cmdline: '', comm: 'kthreadd' }, '[kthreadd]'],
    ['what ended before it could be looked at', { cmdline: '', comm: '' }, 'unknown'],
  ])('of %s', (_, process, text) => expect(commandLine(process)).toBe(text))
})

describe('endpoints', () => {
  it.each([
    ['0.0.0.0', 80, '0.0.0.0:80'],
    ['::1', 443, '[::1]:443'],
    ['::', 0, '[::]:*'],
  ])('%s and %d', (address, port, text) => expect(endpoint(address, port)).toBe(text))
})
