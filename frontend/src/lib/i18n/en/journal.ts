export const journal = {
  journal: {
    title: 'Journal',
    search: 'Search the journal',
    priority: 'Priority',
    priorities: ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'],
    upTo: (name: string) => `up to ${name}`,
    pause: 'Pause',
    go: (waiting: string) => `Go on (${waiting})`,
    none: 'Nothing in the journal.',
  },
}
