import type { Phrases } from '../../phrases'
import type { Form } from '../said.gen'
import { acts } from './acts'
import { common } from './common'
import { collector } from './said/collector'
import { control } from './said/control'
import { server } from './said/server'
import { service } from './service'

/** Every form that the sources have. */
const told = { ...control, ...server, ...collector }

/** What stands within the forms, and what they are joined to. */
const joined = {
  act: acts.acts.actions,
  able: { enable: '设为开机启动', disable: '取消开机启动' },
  role: common.roles,
  standing: service.service.states,
  fell: { failed: '失败', ended: '结束' },
  unit: { seconds: '秒', second: '秒' },
  span: {
    '%s second': '{1:w} 秒',
    '%s seconds': '{1:w} 秒',
    '%s minute': '{1:w} 分钟',
    '%s minutes': '{1:w} 分钟',
    '%s hour': '{1:w} 小时',
    '%s hours': '{1:w} 小时',
    // As Go writes it, in older records.
    '%ds': '{1} 秒',
    '%dm0s': '{1} 分钟',
    '%dm%ds': '{1} 分 {2} 秒',
    '%dh0m0s': '{1} 小时',
  },
  operator: { ':': ':', '=': '=', '>': '>', '<': '<', '>=': '>=', '<=': '<=' },
  protocol: { tcp: 'tcp', tcp6: 'tcp6', udp: 'udp', udp6: 'udp6' },
  nothing: { '': '' },
  /** What is told of an act that failed: why, how its processes ended, and what they wrote at last. */
  tail: { ': %s': '：{1:result}{2~ends|nothing}' },
  ends: {
    ', %s%s': '，{1:end}{2:of}{3~ends|nothing}',
    ', %s': '，{1:end}{2~ends|nothing}',
    ': %s; %s': '：{1}；{2:left}',
    ': %s': '：{1}',
    '; %s': '；{1~said}',
  },
  further: { '; %s': '；{1~said}' },
  whole: {
    '%s: %s %s': '{1:w}：{2:act}{3:job}{4~tail|ends|nothing}',
    '%s: %s was not tried: something that it depends on failed: %s':
      '{1:w}：{2:act}未执行：所依赖的单元 {3:w} 失败{4~tail|ends|nothing}',
    'sent SIG%s to process %d (%s); %s starts it again: stop the service instead':
      '已向进程 {2}（{3}）发送 SIG{1:w}；{4:w} 会将其重新启动，若要彻底结束请停止该服务',
    'sent SIG%s to process %d (%s); if that ends it, %s starts it again: stop the service instead':
      '已向进程 {2}（{3}）发送 SIG{1:w}；若进程因此结束，{4:w} 会将其重新启动，若要彻底结束请停止该服务',
    'cannot write to the data file: %s': '无法写入数据文件：{1~said}',
    'cannot read processes by BPF: %s': '无法通过 BPF 读取进程：{1~said}',
    'dial unix %s: connect: %s': '{1:w}：{2:errno}',
    '%s (%s)': '{1:w}（{2:job|result}）',
    '%s: %s': '{1:protocol}：{2~said}',
    '%s %s: %s': '{1:call} {2:w}：{3:errno}',
  },
  named: { '%s: %s': '{1:w}：{2:errno}' },
  /** What the lines of what systemd told begin with. */
  known: {
    job: '任务',
    operation: '操作',
    unit: '单元',
    result: '结果',
    dependency: '依赖',
    'unit file': '单元文件',
    journal: '日志',
  },
  call: {
    open: 'open',
    read: 'read',
    write: 'write',
    stat: 'stat',
    lstat: 'lstat',
    readlink: 'readlink',
    fdatasync: 'fdatasync',
    'fork/exec': 'exec',
  },
  errno: {
    'permission denied': '权限不够',
    'operation not permitted': '不允许的操作',
    'no such file or directory': '没有那个文件或目录',
    'no space left on device': '设备上没有空间',
    'disk quota exceeded': '超出磁盘限额',
    'read-only file system': '只读文件系统',
    'file too large': '文件过大',
    'file exists': '文件已存在',
    'input/output error': '输入/输出错误',
    'no such process': '没有那个进程',
    'no such device': '没有那个设备',
    'no such device or address': '没有那个设备或地址',
    'not a directory': '不是目录',
    'is a directory': '是一个目录',
    'not a regular file': '不是普通文件',
    'too many open files': '打开的文件过多',
    'cannot allocate memory': '无法分配内存',
    'exec format error': '可执行文件格式错误',
    'invalid argument': '无效的参数',
    'function not implemented': '函数未实现',
    'protocol not supported': '不支持的协议',
    'connection refused': '拒绝连接',
    'connection reset by peer': '连接被对方重设',
    'broken pipe': '断开的管道',
    'context deadline exceeded': '超时',
    'i/o timeout': '超时',
  },
}

type Told = { [Group in keyof typeof told]: keyof (typeof told)[Group] }[keyof typeof told]
/** What has no words here, and what the server says no more; single words are not looked for in the sources. */
type Missing = Exclude<Form, Told>
type Stale = Exclude<Extract<Told, `${string} ${string}`>, Form>

// When one of these is not never, the type check names it.
export const missing: Record<Missing, string> = {}
export const stale: Record<Stale, string> = {}

export const said: Phrases = { ...told, ...joined }
