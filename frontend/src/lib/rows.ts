import type { SortValue } from './entry'
import type { RowKind } from './list.svelte'
import type { Process, Service, Socket } from './wire.gen'

/** What a field is sorted by, as the server sorts it: text in any letter case, a list by its first, times by the clock. */
function sortValue(row: object, column: string): SortValue | undefined {
  const value: unknown = (row as Record<string, unknown>)[column]
  if (typeof value === 'number' || value === undefined || value === null) return value
  if (typeof value === 'string') return value.toLowerCase()
  return Array.isArray(value) ? ((value[0] as number | undefined) ?? null) : undefined
}

export const processes: RowKind<Process> = {
  topic: 'processes',
  key: (row) => `${row.pid}:${row.startTime}`,
  value: sortValue,
  trend: (row) => row.cpuPercent,
}

export const sockets: RowKind<Socket> = {
  topic: 'sockets',
  key: (row) => row.cookie,
  // Of those of one port, the one that listens is who holds it.
  value: (row, column) =>
    column === 'localPort' && row.remotePort > 0 ? row.localPort + 0.5 : sortValue(row, column),
}

export const services: RowKind<Service> = {
  topic: 'services',
  key: (row) => `${row.manager}:${row.name}`,
  value: (row, column) =>
    column === 'since' && row.since !== null ? Date.parse(row.since) : sortValue(row, column),
  trend: (row) => row.cpuPercent ?? 0,
}
