import type { journal as en } from '../en/journal'

export const journal: typeof en = {
  journal: {
    title: '服务日志',
    search: '搜索日志',
    priority: '级别',
    priorities: ['紧急', '警报', '严重', '错误', '警告', '注意', '信息', '调试'],
    all: '全部级别',
    orWorse: (name) => `${name}及以上`,
    pause: '暂停',
    go: (waiting) => `继续（${waiting}）`,
    none: '日志中没有内容。',
  },
}
