import type { processes as en } from '../en/processes'

export const processes: typeof en = {
  processes: {
    none: '看不到任何进程。',
    columns: {
      pid: 'PID',
      user: '用户',
      cpu: 'CPU %',
      cpuHint: '自上次采样以来的 CPU 占用，100 为一个核心',
      rss: '内存',
      rssHint: '常驻内存（RSS）',
      vsize: '虚拟内存',
      vsizeHint: '虚拟内存大小',
      nice: 'Nice',
      niceHint: 'Nice 值：19 最谦让，-20 最优先',
      threads: '线程',
      threadsHint: '线程数',
      state: '状态',
      started: '启动时间',
      unit: '单元',
      unitHint: 'systemd 单元',
      comm: '名称',
      commHint: '内核记录的名称',
      cmdline: '命令行',
    },
    states: {
      R: '运行',
      S: '睡眠',
      D: '不可中断',
      I: '空闲',
      T: '停止',
      t: '被跟踪',
      Z: '僵尸',
      X: '已死',
    },
  },
}
