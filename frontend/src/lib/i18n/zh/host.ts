import type { host as en } from '../en/host'

export const host: typeof en = {
  host: {
    groups: { system: '系统', hardware: '硬件', time: '时间', watching: '数据来源' },
    sources: { bpf: '内核任务（BPF）', proc: '/proc' },
    noManager: '未发现',
    facts: {
      hostname: '主机名',
      os: '操作系统',
      kernel: '内核',
      architecture: '架构',
      virtualization: '虚拟化',
      cpuModel: '处理器',
      cpuCount: '处理器数量',
      memoryTotal: '内存',
      bootTime: '启动时间',
      uptime: '已运行',
      timezone: '时区',
      source: '进程信息来源',
      serviceManagers: '服务管理器',
    },
    tasks: {
      title: '计划任务',
      kind: '类型',
      kinds: { cron: 'cron', timer: '定时器' },
      schedule: '计划',
      user: '用户',
      command: '命令或单元',
      source: '来源',
      next: '下次运行',
      none: '未发现 cron 任务和 systemd 定时器。',
    },
  },
}
