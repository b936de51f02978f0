import type { process as en } from '../en/process'

export const process: typeof en = {
  process: {
    title: '进程',
    signals: '信号',
    ended: '此进程已结束。',
    exe: '程序文件',
    cwd: '工作目录',
    peak: '内存峰值',
    swap: '已换出',
    disk: '磁盘',
    readWritten: (read, written) => `读取 ${read}，写入 ${written}`,
    files: '打开的文件',
    seccomp: '系统调用过滤',
    cgroup: '控制组',
    parent: '父进程',
    children: '子进程',
    sockets: '套接字',
    environment: '环境变量',
    showEnvironment: '显示环境变量',
  },
}
