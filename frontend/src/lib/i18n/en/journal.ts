export const journal = {
  journal: {
    title: 'Journal',
    search: 'Search the journal',
    priority: 'Priority',
    priorities: ['emergency', 'alert', 'critical', 'error', 'warning', 'notice', 'info', 'debug'],
    all: 'all priorities',
    orWorse: (name: string) => `${name} or worse`,
    pause: 'Pause',
    go: (waiting: string) => `Go on (${waiting})`,
    none: 'Nothing in the journal.',
  },
}
