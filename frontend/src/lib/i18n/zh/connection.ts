import type { connection as en } from '../en/connection'

export const connection: typeof en = {
  connection: {
    live: '实时',
    opening: '正在连接',
    lost: '连接已断开',
    reasons: {
      broken: '与服务器的连接已中断。',
      stopped: '服务器已停止，或正在重启。',
      slow: '浏览器来不及接收数据，正在重新开始。',
      unreachable: '服务器没有响应。',
      blocked: '服务器有响应，但实时连接无法建立，可能是中间的代理未转发 WebSocket。',
    },
    back: '连接已恢复。',
    answers: '服务器刚才没有响应，现在已恢复，请重试。',
    age: (age) => `当前数据为 ${age}前的。`,
    retryIn: (seconds) => `${seconds} 秒后重试。`,
    retrying: '正在重试…',
    retry: '立即重试',
    outdated: '服务器上已有此页面的新版本。',
    reload: '刷新',
  },
}
