import type { sockets as en } from '../en/sockets'

export const sockets: typeof en = {
  sockets: {
    title: 'TCP/UDP 服务',
    none: '没有 TCP 或 UDP 套接字。',
    closed: '没有进程占用：由内核自行建立或结束该连接',
    unseen: 'topdeck 可见的进程都未打开它：属于内核自身，或位于其他 PID 命名空间',
    columns: {
      protocol: '协议',
      recvQHint: '已接收但尚未读取的字节数；LISTEN 状态下为等待接受的连接数',
      sendQHint: '已发送但尚未确认的字节数；LISTEN 状态下为等待队列上限',
      local: '本地地址',
      localHint: '按端口排序',
      remote: '远程地址',
      remoteHint: '按端口排序',
      state: '状态',
      program: 'PID/程序',
      user: '用户',
      unit: '单元',
    },
  },
}
