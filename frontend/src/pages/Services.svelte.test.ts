import { expect, it } from 'vitest'
import type { Service } from '../lib/wire.gen'
import { listed } from './listed'
import Services from './Services.svelte'

function service(name: string, unitFileState: string): Service {
  return {
    name,
    manager: 'systemd',
    description: '',
    loadState: 'loaded',
    activeState: 'active',
    subState: 'running',
    unitFileState,
    result: '',
    exitCode: null,
    signal: '',
    mainPid: 0,
    pids: [],
    ports: [],
    cpuPercent: null,
    memory: null,
    since: null,
    actions: [],
  }
}

it('says of each service what its term for the start of the host means', async () => {
  const end = await listed(Services, [
    service('a.service', 'enabled-runtime'),
    service('b.service', 'bad'),
  ])
  const tips = [...document.querySelectorAll('td')].map((cell) => cell.title)
  expect(tips).toContain('enabled-runtime: starts with the host, until the next boot')
  expect(tips).toContain('bad')
  end()
})
