import { afterEach, describe, expect, it, vi } from 'vitest'
import { i18n } from './i18n.svelte'
import { reasonOf } from './told'
import type { Operation } from './wire.gen'

afterEach(() => (i18n.language = 'en'))

describe('the reason in a record', () => {
  it.each([
    ['service.start', 'web.service', 'start took too long', 'start took too long', '启动超时'],
    [
      'service.start',
      'web.service',
      'start failed: a process failed, exit status 7: x',
      'a process failed, exit status 7: x',
      '进程失败，退出码 7：x',
    ],
    [
      'service.start',
      'web.service',
      'start done; it is active (running)',
      'it is active (running)',
      '当前状态：运行中（active）',
    ],
    ['service.stop', 'web.service', 'stop done', '', ''],
    ['command.run', 'sh -c x', 'sh failed, exit status 3: x', 'exit status 3: x', '退出码 3：x'],
    ['command.run', 'true', 'true ended well', '', ''],
    ['command.run', 'true', 'failed', '', ''],
    [
      'session.denied',
      'ada',
      'sign-in refused: too many attempts',
      'too many attempts',
      '尝试次数过多',
    ],
    [
      'user.add',
      'ada',
      'added with the role viewer',
      'added with the role viewer',
      '已添加，角色为查看者',
    ],
  ])('of %s on %s is not what stands beside it: %s', async (logType, target, text, en, zh) => {
    const message = logType.startsWith('service.') ? `${target}: ${text}` : text
    const record = { logType, target, message, retStatus: 'failed' } as Operation
    expect(reasonOf(record)).toBe(en)
    i18n.language = 'zh'
    await vi.waitFor(() => expect(i18n.say('sign in first')).toBe('请先登录'))
    expect(reasonOf(record)).toBe(zh)
  })
})
