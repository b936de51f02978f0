import type { services as en } from '../en/services'

export const services: typeof en = {
  services: {
    none: '没有服务。',
    noneWithoutManager: '未发现 systemd，/etc/init.d 中也没有 SysV 脚本，因此没有可显示的服务。',
    failed: '个已失败',
    fallen: (n, names) => `${n} 个服务已失败：${names}`,
    managers: (names) => `服务管理器：${names}`,
    ways: { processes: '其进程', sockets: '其套接字' },
    columns: {
      processes: '进程',
      processesHint: '进程数',
      name: '名称',
      state: '状态',
      atBoot: '开机启动',
      atBootHint: '是否随主机启动',
      pid: 'PID',
      cpu: 'CPU %',
      cpuHint: '其全部进程之和，100 为一个核心',
      memory: '内存',
      ports: '端口',
      since: '持续',
      sinceHint: '处于当前状态的时长',
      manager: '管理器',
      description: '描述',
    },
  },
}
