export const list = {
  search: { at: 'Trouble begins at: ' },
  table: { sortBy: 'Sort by', ascending: 'ascending', descending: 'descending' },
  list: {
    search: (what: string) => `Search: ${what}`,
    total: (n: string) => `${n} in all`,
    matched: (n: string, total: string) => `${n} of ${total}`,
    noMatch: 'Nothing matches the search.',
    refused: 'The search cannot be read.',
    stale: 'The search cannot be read. These rows are from before it and do not change.',
    clear: 'Clear the search',
    cut: (n: string, matched: string) =>
      `The first ${n} of ${matched} are shown; search to narrow them down.`,
  },
}
