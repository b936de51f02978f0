import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { ApiError } from './api'
import { explain } from './explain'
import { i18n } from './i18n.svelte'
import { said } from './i18n/zh/said'
import { Phrasebook } from './phrases'

const book = new Phrasebook(said)

/** A message of a form, with values of the kinds that its words ask for. */
function sample(form: string, words: string): string {
  const asked = new Map<number, string>()
  for (const [, number, kind] of words.matchAll(/\{(\d+)(?:[:~]([\w|]+))?\}/g))
    asked.set(Number(number), kind ?? 'text')
  let at = 0
  return form.replace(/%[.\d]*([a-z])/g, (_, verb: string) => {
    const kind = asked.get(++at) ?? 'text'
    if (verb === 'd') return '7'
    if (verb === 'q' || kind === 'quoted') return '"x \\" y"'
    if (kind === 'w') return 'x.service'
    if (kind === 'text') return 'two words: one'
    if (kind === 'said') return 'permission denied'
    const group = said[kind.split('|')[0] ?? ''] ?? {}
    const [first] = Object.entries(group)
    return first ? sample(...first) : kind
  })
}

describe('the Chinese forms', () => {
  const forms = Object.entries(said).flatMap(([group, all]) =>
    Object.entries(all).map(([form, words]) => ({ group, form, words })),
  )

  it('each fit a message, all of it', () => {
    const unread = forms
      .filter(({ form }) => /^[^ ,:;]/.test(form))
      .map(({ form, words }) => sample(form, words))
      .filter((message) => !/\p{Script=Han}/u.test(book.say(message) ?? ''))
    // What stands within others, and is no different in Chinese.
    expect(unread.filter((message) => message.includes(' '))).toEqual([])
  })

  it('can be read in one way only', () => expect(book.unclear()).toEqual([]))

  it('name their values, each that there is', () => {
    const wrong = forms.filter(({ form, words }) => {
      const values = form.match(/%[.\d]*[a-z]/g)?.length ?? 0
      const named = new Set(Array.from(words.matchAll(/\{(\d+)/g), ([, n]) => Number(n)))
      for (let n = 1; n <= values; n++) if (!named.has(n)) return true
      return Math.max(0, ...named) > values + 1
    })
    expect(wrong).toEqual([])
  })
})

describe('what the server says', () => {
  it.each([
    ['sleep took more than 1 minute and was ended', 'sleep 超过 1 分钟，已被结束'],
    [
      'once within an hour, after many before, from ::1: signed out',
      '此前已有很多次，一小时内又有 1 次，来自 ::1：已退出登录',
    ],
    [
      '150 times within an hour, after many before; the last from ::1: signed out',
      '此前已有很多次，一小时内又有 150 次；最近一次来自 ::1：已退出登录',
    ],
    ['sleep took more than 90 seconds and was ended', 'sleep 超过 90 秒，已被结束'],
    ['sleep took more than 1m0s and was ended', 'sleep 超过 1 分钟，已被结束'],
    [
      'web.service: start failed: a process failed, exit status 7: bind: address in use: 80',
      'web.service：启动失败：进程失败，退出码 7：bind: address in use: 80',
    ],
    [
      'web.service: start failed: a process was killed, killed by SIGSEGV, core dumped',
      'web.service：启动失败：进程被终止，被 SIGSEGV 终止，已转储 core',
    ],
    [
      'web.service: start failed: a process failed, exit status 1 of ExecStartPre=/bin/false',
      'web.service：启动失败：进程失败，退出码 1（ExecStartPre=/bin/false）',
    ],
    [
      'web.service: start was not tried: something that it depends on failed: db.service: a process failed, exit status 2: no space',
      'web.service：启动未执行：所依赖的单元 db.service 失败：进程失败，退出码 2：no space',
    ],
    [
      'web.service: start was skipped: a condition of the unit does not hold: ConditionPathExists=/x y',
      'web.service：启动已跳过：单元的条件（Condition）不满足：ConditionPathExists=/x y',
    ],
    [
      'web.service: start was skipped: its condition does not hold, exit status 1 of ExecCondition=/bin/sh: no battery',
      'web.service：启动已跳过：启动条件不满足，退出码 1（ExecCondition=/bin/sh）：no battery',
    ],
    [
      'web.service: start was not tried: it was started too often in a short time; reset-failed allows it again',
      'web.service：启动未执行：短时间内启动过于频繁；清除失败状态后可再次启动',
    ],
    [
      'cannot start web.service: topdeck has no right to; it needs to run as root, or polkit to allow it',
      'web.service：无法启动：topdeck 没有权限，需要以 root 身份运行或由 polkit 授权',
    ],
    [
      'web.service: start done; it is active (running)',
      'web.service：启动完成；当前状态：运行中（active）',
    ],
    [
      'web.service: failed 2.0 s after its start, and systemd starts it again: a process failed, exit status 1: no port',
      'web.service：启动后 2.0 秒失败，systemd 会将其重新启动：进程失败，退出码 1：no port',
    ],
    [
      'web.service: ended 2.0 s after its start: it said goodbye',
      'web.service：启动后 2.0 秒结束：it said goodbye',
    ],
    [
      'web.service: start was canceled by bob; it is inactive (dead); what was begun is not undone',
      'web.service：启动已被 bob 取消；当前状态：未运行（inactive）；已开始的部分不会撤销',
    ],
    ['web.service is enabled already', 'web.service：已设为开机启动（无需更改）'],
    [
      'cannot start web.service: Unit web.service is masked.',
      'web.service：无法启动：Unit web.service is masked.',
    ],
    [
      'ssh.service is how one gets into this host; repeat its name to stop it',
      'ssh.service 是登录本机的途径；若确要停止，请再次输入其名称',
    ],
    ['sh failed, exit status 3: oh; no', 'sh 失败，退出码 3：oh; no'],
    [
      'sh failed, exit status 3: oh; what it left running goes on',
      'sh 失败，退出码 3：oh；它遗留的进程仍在运行',
    ],
    [
      'sent SIGTERM to process 7 (my (odd) name); if that ends it, web.service starts it again: stop the service instead',
      '已向进程 7（my (odd) name）发送 SIGTERM；若进程因此结束，web.service 会将其重新启动，若要彻底结束请停止该服务',
    ],
    [
      'cannot send SIGKILL to process 7 (x): topdeck has no right to; it needs to run as root',
      '无法向进程 7（x）发送 SIGKILL：topdeck 没有权限，需要以 root 身份运行',
    ],
    [
      'cannot read the query at character 5: there is no field "foo" here (pid cpuPercent); put the word in quotes to look for it as text',
      '查询的第 5 个字符处有误：此处没有字段 "foo"（可用：pid cpuPercent）；若要按文本搜索，请加引号',
    ],
    [
      'nothing was changed: cannot write to the data file: write /data/topdeck.db: no space left on device',
      '未作任何更改：无法写入数据文件：write /data/topdeck.db：设备上没有空间',
    ],
    ['too many wrong passwords: try again in 1 second', '密码错误次数过多，请在 1 秒后重试'],
    [
      '/etc/cron.d/x line 3: "a; b" is no schedule; no cron daemon is running, so cron\'s tasks do not run',
      '/etc/cron.d/x 第 3 行："a; b" 不是有效的时间计划；cron 守护进程没有运行，因此 cron 任务不会执行',
    ],
    [
      'cannot list all sockets: tcp: sock_diag does not answer; udp: cannot open a sock_diag socket: permission denied',
      '无法列出全部套接字：tcp：sock_diag 没有应答；udp：无法打开 sock_diag 套接字：权限不够',
    ],
    [
      'this is not the initial PID namespace, and the kernel tells only that one which processes start and end; so ends are noticed at the next sample, without exit codes, and processes that live between two samples not at all',
      '当前不是初始 PID 命名空间，内核只向初始命名空间通知进程的创建与退出；因此进程的退出要到下次采样才能发现，且没有退出码，两次采样之间的短命进程无法发现',
    ],
  ])('%s', (english, chinese) => expect(book.say(english)).toBe(chinese))

  it.each([
    // A line that a program wrote, and a name that somebody chose, are never read on.
    [
      'web.service: start failed: a process failed, exit status 7: x.service: stop failed, exit status 9',
      'web.service：启动失败：进程失败，退出码 7：x.service: stop failed, exit status 9',
    ],
    [
      'sent SIGTERM to process 7 (a); b.service starts it again: stop the service instead)',
      '已向进程 7（a); b.service starts it again: stop the service instead）发送 SIGTERM',
    ],
    [
      'process 7 is another one by now: there is no process 8 any more',
      '进程 7 现在已是另一个进程：there is no process 8 any more',
    ],
    ['there is no user "x\\"; signed out; \\""', '没有用户 "x\\"; signed out; \\""'],
  ])('as it is where others wrote it: %s', (english, chinese) =>
    expect(book.say(english)).toBe(chinese),
  )

  it.each([
    'a sentence that nobody has put into Chinese',
    'web.service failed because it could not: exit status 7',
    'well, sign in first',
    'sign in first\nand then',
    'x'.repeat(9_000),
    `${'; '.repeat(4_000)}`,
  ])('only where a form fits all of it (%#)', (message) => expect(book.say(message)).toBeNull())
})

describe('in the app', () => {
  beforeAll(async () => {
    i18n.language = 'zh'
    await vi.waitFor(() => expect(i18n.say('sign in first')).toBe('请先登录'))
  })
  afterAll(() => (i18n.language = 'en'))

  it('a refusal is told by its own sentence', () =>
    expect(explain(new ApiError('conflict', 'there is already a user vera'))).toEqual({
      title: '用户 vera 已存在。',
      detail: '',
    }))
})

describe('a search in Chinese', () => {
  const names = new Map([['失败', 'retStatus:failed']])
  it.each([
    ['a whole message', '用户名或密码错误', '"wrong user name or password"'],
    ['what stands beside a value', '退出码', '"exit status"'],
    ['one that does not want it', '-进程失败 nginx', '-"a process failed" nginx'],
    ['in quotes', '"被另一个任务取消"', '"was canceled by another job"'],
    ['a name of the catalogue', '失败 actor:ada', 'retStatus:failed actor:ada'],
    ['what nothing is called', '数据库 target:备份', '数据库 target:备份'],
    ['no Chinese', 'failed "exit status 3" duration>5', 'failed "exit status 3" duration>5'],
  ])('asks for %s in the words that are kept', (_, query, asked) =>
    expect(book.ask(query, names)).toBe(asked),
  )
})
