/** How an act on a service ended. */
const job = {
  'was done, but did not last': '已完成，但未能保持',
  'was canceled by another job': '被另一个任务取消',
  'took too long': '超时',
  failed: '失败',
  'was not tried: something that it depends on failed': '未执行：所依赖的单元失败',
  'was skipped: it does not apply in this state': '已跳过：不适用于当前状态',
  'was skipped: a condition of the unit does not hold': '已跳过：单元的条件（Condition）不满足',
  'was skipped': '已跳过',
  'was not tried: it was started too often in a short time; reset-failed allows it again':
    '未执行：短时间内启动过于频繁；清除失败状态后可再次启动',
  'does not apply: it is not running': '不适用：该单元未运行',
  'was not tried: an assertion of the unit does not hold': '未执行：单元的断言（Assert）不满足',
  'is not supported on this system': '不受此系统支持',
  'was dropped: the unit is gone': '已放弃：单元已不存在',
  'was refused: it may be done only once': '被拒绝：只能执行一次',
  'ended as %s': '的结果为 {1:w}',
}

/** Why a service failed. */
const result = {
  'a process failed': '进程失败',
  'a process was killed': '进程被终止',
  'a process crashed': '进程崩溃',
  'a process did not do its part in time': '进程未能按时完成',
  'it did not show that it is alive': '看门狗超时，进程失去响应',
  'it was started too often in a short time': '短时间内启动过于频繁',
  'the system lacks what it needs': '系统资源不足',
  'it did not speak as its unit file says': '未按单元文件的约定运行',
  'the kernel killed it for want of memory': '内存不足，被内核终止',
  'its condition does not hold': '启动条件不满足',
}

/** How a process ended. */
const end = {
  'exit status %d': '退出码 {1}',
  'killed by %s, core dumped': '被 {1:signal} 终止，已转储 core',
  'killed by %s': '被 {1:signal} 终止',
  'ended with code %d, status %d': '结束，代码 {1}，状态 {2}',
}

const signal = { 'signal %d': '信号 {1}', 'SIG%s': 'SIG{1:w}' }

/** Which process of a service it was. */
const of = { ' of %s': '（{1:w}）' }

/** Why a service is guarded. */
const guard = {
  "carries the messages between this host's services": '负责传递本机各服务之间的消息',
  "keeps this host's logs": '负责保存本机的日志',
  "keeps this host's logins": '负责管理本机的登录会话',
  "keeps this host's devices": '负责管理本机的设备',
  'is how one gets into this host': '是登录本机的途径',
  'is what serves this page': '正在提供本页面',
}

/** What became of what a command started. */
const left = {
  'what it left running goes on': '它遗留的进程仍在运行',
  'what it left running was ended: a service may stay, a command may not':
    '它遗留的进程已被结束：服务可以常驻，命令不可以',
}

const quote = { 'single quote': '单引号', 'double quote': '双引号' }

const already = { ' already': '（无需更改）' }

const state = {
  '; it is %s (%s)': '；当前状态：{2:standing}（{1:w}）{3~tail|ends|nothing}',
  '; it is %s': '；当前状态：{1:standing}{2~tail|ends|nothing}',
}

const damaged = { 'the data file is damaged': '数据文件已损坏' }

const again = {
  ', and systemd starts it again': '，systemd 会将其重新启动{1~tail|ends|nothing}',
}

const acting = {
  '%s: %s done': '{1:w}：{2:act}完成',
  '%s: %s done%s': '{1:w}：{2:act}完成{3~state|tail|ends|nothing}',
  '%s: restart done; it is active (%s)': '{1:w}：重启完成；当前状态：{2:standing}（active）',
  '%s: %s %.1f s after its %s%s': '{1:w}：{4:act}后 {3:w} 秒{2:fell}{5~again|tail|ends|nothing}',
  '%s: failed %.1f s after its %s: process %d ended, and left its PID or lock file; its script does not tell why':
    '{1:w}：{3:act}后 {2:w} 秒失败：进程 {4} 已结束，留下了 PID 或锁文件；其脚本未说明原因',
  '%s: %s done, but %s, which is a part of it, failed':
    '{1:w}：{2:act}完成，但其组成部分 {3:w} 失败{4~tail|ends|nothing}',
  '%s: the connection to systemd was lost during the %s, and how it ended is not known%s':
    '{1:w}：{2:act}期间与 systemd 的连接中断，结果未知{3~state|nothing}',
  '%s: %s failed, %s': '{1:w}：{2:act}失败，{3:end}{4~ends|nothing}',
  '%s: %s took more than %s and was ended': '{1:w}：{2:act}超过 {3:span}，已被结束',
  '%s: %s was canceled by %s, and its script ended':
    '{1:w}：{2:act}已被 {3:w} 取消，其脚本已被结束',
  '%s: %s was canceled by %s%s; what was begun is not undone':
    '{1:w}：{2:act}已被 {3:w} 取消{4~state|nothing}；已开始的部分不会撤销',
  '%s: its failure is forgotten': '{1:w}：失败状态已清除',
  '%s is %sd': '{1:w}：已{2:able}{3~already|nothing}',
  '%s cannot be enabled: its unit file has no [Install] section that says when to start it':
    '{1:w}：无法设为开机启动：其单元文件没有说明何时启动的 [Install] 部分',
  '%s: systemd cannot read its configuration anew: %s': '{1:w}：systemd 无法重新加载配置：{2~said}',
  'cannot %s %s: %s': '{2:w}：无法{1:act}：{3~said}',
  'cannot %s %s: %v': '{2:w}：无法{1:act}：{3~said}',
  'cannot reset %s: %s': '{1:w}：无法清除失败状态：{2~said}',
  'that is not for service scripts; start it, or stop it': '服务脚本不支持此操作，请启动或停止它',
  'its script has no branch for that': '其脚本不支持此操作',
  'update-rc.d knows no other root': 'update-rc.d 不支持其他根目录',
  'it was canceled by %s while it ran; how far it got is not known':
    '执行中已被 {1:w} 取消，已进行到何种程度未知',
  'topdeck ended while this ran; how it ended is not known': '执行期间 topdeck 退出，结果未知',
  'topdeck ended while this ran; it may run still as %s: systemd cannot be asked: %s':
    '执行期间 topdeck 退出；它可能仍以 {1:w} 运行：无法查询 systemd：{2~said}',
  'topdeck ended while this ran; it ran on as %s until topdeck was back, and was ended then':
    '执行期间 topdeck 退出；它以 {1:w} 继续运行，直到 topdeck 恢复后被结束',
  'topdeck ended while this ran; %s': '执行期间 topdeck 退出；{1~said}',
  '%s %s; repeat its name to %s it': '{1:w} {2:guard}；若确要{3:act}，请再次输入其名称',
  'cannot %s a service; it must be one of %s': '不支持对服务执行 {1:w}；可用的操作：{2}',
  'more than one service manager has %s; write %s:%s or %s:%s':
    '有多个服务管理器包含 {1:w}，请写明 {2:w}:{3:w} 或 {4:w}:{5:w}',
  'there is no service %q; names must be exact': '没有名为 {1} 的服务；名称必须完全一致',
  'there is no service of that name': '没有该名称的服务',
  'the name of the service is not escaped as a path must be': '服务名称未按路径规则转义',
  'cannot act any more: topdeck is ending': '无法再执行操作：topdeck 正在退出',
  'cannot do more than %d things at once; wait for some of them':
    '最多同时执行 {1} 项操作，请等待其中一些完成',
  'operation %s has ended': '操作 {1:w} 已结束',
  'nothing runs as operation %q': '没有正在执行的操作 {1}',
  'cannot ask systemd for %s: %s': '无法向 systemd 查询 {1:w}：{2~said}',
  'cannot ask for the dependencies of %s: %s': '无法查询 {1:w} 的依赖关系：{2~said}',
}

const managers = {
  'neither systemd nor scripts in /etc/init.d were found':
    '未发现 systemd，/etc/init.d 中也没有脚本',
  'cannot reach systemd yet': '尚未连接到 systemd',
  'cannot reach systemd: %w; trying again': '无法连接 systemd：{1~said}；正在重试',
  'the connection ended': '连接已断开',
  "cannot list systemd's services: %w": '无法列出 systemd 的服务：{1~said}',
  'topdeck has no right to; it needs to run as root, or polkit to allow it':
    'topdeck 没有权限，需要以 root 身份运行或由 polkit 授权',
  'cannot list the unit files of systemd, so services that are not loaded may be missing: %w':
    '无法列出 systemd 的单元文件，因此可能缺少未加载的服务：{1~said}',
  'cannot list the service scripts: %w': '无法列出服务脚本：{1~said}',
  'cannot ask the scripts of /etc/init.d: %w': '无法查询 /etc/init.d 的脚本：{1~said}',
  'systemd did not answer within a second': 'systemd 在一秒内没有应答',
  'cannot read the journal: %w': '无法读取 journal：{1~said}',
  'journalctl ended': 'journalctl 已退出',
  'there is no journal on a host without systemd; scripts write to files of their own':
    '没有 systemd 的主机没有 journal；脚本会写入各自的文件',
  'cannot give %d lines of the journal; it must be from 0 to %d':
    '无法给出 {1} 行日志；行数须为 0 至 {2}',
  'cannot give %d lines of the journal; it must be from 1 to %d':
    '无法给出 {1} 行日志；行数须为 1 至 {2}',
  'cannot follow more than %d journals at once; close some of them':
    '最多同时跟踪 {1} 个服务的日志，请关闭其中一些',
  'too many journals are being read; try again': '正在读取的日志过多，请重试',
  'cannot follow the journal any more: topdeck is ending': '无法继续跟踪日志：topdeck 正在退出',
  'main process': '主进程',
}

const commands = {
  '%s ended well': '{1:w} 正常结束{2~further|nothing}',
  '%s failed, %s': '{1:w} 失败，{2:end}{3~ends|nothing}',
  '%s was canceled by %s': '{1:w} 已被 {2:w} 取消',
  '%s was ended, because topdeck ends': '{1:w} 已被结束，因为 topdeck 正在退出{2~further|nothing}',
  '%s took more than %s and was ended': '{1:w} 超过 {2:span}，已被结束{3~further|nothing}',
  'ended with exit status %d': '已结束，退出码 {1}',
  'cannot run %s: %s': '无法执行 {1:w}：{2~said}',
  'it is no program: nobody may execute it': '它不是可执行的程序',
  'cannot run %s: %v': '无法执行 {1:w}：{2~said}',
  'cannot run a command: %v': '无法执行命令：{1~said}',
  'there is no program %s in %s': '在 {2:w} 中没有程序 {1:w}',
  'cannot run a command of more than %d bytes': '命令不能超过 {1} 字节',
  'cannot run a command that is not UTF-8': '命令必须是 UTF-8 文本',
  'cannot run a command that holds a zero byte': '命令不能包含零字节',
  'cannot run a command that ends with a backslash': '命令不能以反斜杠结尾',
  'cannot run a command in which a %s is not closed': '命令中的{1:quote}没有闭合',
  "cannot run a command with %q in it: no shell is started; quote it, or write sh -c '…'":
    "命令中含有 {1}，但不会启动 shell；请为其加引号，或写成 sh -c '…'",
  'cannot run an empty command': '命令不能为空',
  'a command may take from 1 second to 1 hour': '命令的超时须为 1 秒至 1 小时',
  'cannot run more than %d commands at once; wait for one of them, or cancel it':
    '最多同时执行 {1} 条命令，请等待或取消其中一条',
  'this server runs no commands: it was started with --commands off':
    '此服务器不执行命令：启动时使用了 --commands off',
  'operation %s is no command': '操作 {1:w} 不是命令',
  'the output of operation %q is not kept': '操作 {1} 的输出未保留',
  'the connection to systemd was lost as it began, so it was ended':
    '刚开始时与 systemd 的连接中断，因此已将其结束',
  "this connection to systemd cannot carry the command's output":
    '当前与 systemd 的连接无法传递命令的输出',
  'systemd could not start it': 'systemd 无法将其启动',
  'systemd has dropped it, and how it ended is not known': 'systemd 已不再记录它，结果未知',
  'it cannot be ended, and may still run as %s: systemd does not answer, or its processes do not':
    '无法将其结束，它可能仍以 {1:w} 运行：systemd 或其进程没有响应',
}

const signals = {
  'SIG%s to process %d (%s)': 'SIG{1:w} 至进程 {2}（{3}）',
  'sent SIG%s to process %d (%s)': '已向进程 {2}（{3}）发送 SIG{1:w}',
  'cannot send SIG%s to process %d (%s): %s': '无法向进程 {2}（{3}）发送 SIG{1:w}：{4:met|errno}',
  'cannot send %s; a signal must be one of TERM, KILL, HUP, INT, USR1, USR2, STOP, CONT':
    '无法发送 {1}；信号须为 TERM、KILL、HUP、INT、USR1、USR2、STOP、CONT 之一',
  'cannot signal process %d: that is not the PID of a process':
    '无法向进程 {1} 发送信号：这不是进程的 PID',
  'cannot signal process 1: the host stands on it': '不能向进程 1 发送信号：整个系统依赖于它',
  'cannot signal topdeck itself; stop its service instead':
    '不能向 topdeck 自身发送信号，请改为停止其服务',
  'there is no process %d any more': '进程 {1} 已不存在',
  'there is no process %q': '没有进程 {1}',
  'there is no such process': '没有该进程',
  'there is no such process, or not any more': '没有该进程，或其已结束',
  'process %d is another one by now: %s': '进程 {1} 现在已是另一个进程：{2}',
  'cannot open process %d: %w': '无法打开进程 {1}：{2~said}',
  'cannot read the state of a process': '无法读取进程的状态',
  'startTime is missing: with the PID it names the process':
    '缺少 startTime：它与 PID 一起确定一个进程',
}

const met = {
  'it has ended': '进程已结束',
  'topdeck has no right to; it needs to run as root': 'topdeck 没有权限，需要以 root 身份运行',
}

/** What follows the message of a signal. */
const revived = {
  '; it ignores that signal': '；该进程忽略此信号',
  '; %s starts it again: stop the service instead':
    '；{1:w} 会将其重新启动，若要彻底结束请停止该服务',
  '; if that ends it, %s starts it again: stop the service instead':
    '；若进程因此结束，{1:w} 会将其重新启动，若要彻底结束请停止该服务',
}

const logs = {
  'nothing was done: %s': '未执行任何操作：{1~said}',
  'nothing was changed: %s': '未作任何更改：{1~said}',
  'nothing was done: the record of it could not be made safe: %s':
    '未执行任何操作：无法可靠地保存其记录：{1~said}',
  'cannot write to the operation log: %s': '无法写入操作日志：{1~said}',
  'cannot write to the data file': '无法写入数据文件',
  'this session is kept in memory only, and ends when topdeck does: %s':
    '此会话仅保存在内存中，topdeck 退出时即告结束：{1~said}',
  '%w (%v): stop topdeck, and put a backup in its place with topdeck restore':
    '{1:damaged}（{2}）：请停止 topdeck，并用 topdeck restore 恢复备份',
  'it cannot be read': '无法读取',
  'cannot find entry %d of the operation log; `topdeck log verify` tells what is missing':
    '找不到操作日志的第 {1} 条；用 “topdeck log verify” 可查看缺少了什么',
  'cannot use entry %d of the operation log: %w; `topdeck log verify` tells more':
    '操作日志的第 {1} 条不可用：{2~said}；用 “topdeck log verify” 可查看详情',
  'there is no operation %d in the log': '日志中没有操作 {1}',
  'there is no operation %q in the log': '日志中没有操作 {1}',
  'operation %d has already ended: %s': '操作 {1} 已经结束：{2:w}',
  'operation %d: %w': '操作 {1}：{2~said}',
  'cannot read before=%q: it must be the id of an operation': '无法识别 before={1}：须为操作的编号',
  'cannot search the log now: others do; try again': '其他人正在搜索日志，请稍后重试',
  'give either ids or all, which is then true': '请给出 ids，或值为 true 的 all',
  'give at most %d ids': '最多给出 {1} 个 ids',
  'format must be one of csv, ndjson': 'format 须为 csv 或 ndjson',
  'a backup of the data file was made': '已备份数据文件',
  'a backup was put in the place of the data file': '已用备份替换数据文件',
}

/** What package control says. */
export const control = {
  job,
  result,
  end,
  signal,
  of,
  guard,
  left,
  already,
  quote,
  state,
  again,
  damaged,
  acting,
  managers,
  commands,
  signals,
  met,
  revived,
  logs,
}
