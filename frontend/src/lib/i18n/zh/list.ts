import type { list as en } from '../en/list'

export const list: typeof en = {
  search: { at: '错误位置：' },
  table: { sortBy: '排序', ascending: '升序', descending: '降序' },
  list: {
    search: (what) => `搜索${what}`,
    total: (n) => `共 ${n} 项`,
    matched: (n, total) => `${n} / ${total} 项`,
    noMatch: '没有匹配的结果。',
    refused: '无法识别该搜索条件。',
    stale: '无法识别该搜索条件，以下为此前的结果，不再更新。',
    clear: '清除搜索',
    cut: (n, matched) => `共 ${matched} 项，仅显示前 ${n} 项，请缩小搜索范围。`,
  },
}
