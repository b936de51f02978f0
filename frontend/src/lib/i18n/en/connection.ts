export const connection = {
  connection: {
    live: 'Live',
    opening: 'Connecting',
    lost: 'No connection',
    reasons: {
      broken: 'The connection to the server was lost.',
      stopped: 'The server was stopped, or restarts.',
      slow: 'This browser could not keep up and starts again.',
      unreachable: 'The server does not answer.',
      blocked:
        'The server answers, but its live connection does not open. A proxy in between may not pass WebSockets.',
    },
    back: 'The connection is back.',
    answers: 'The server did not answer. It does again: please try once more.',
    age: (age: string) => `What you see is ${age} old.`,
    retryIn: (seconds: number) => `Trying again in ${seconds} s.`,
    retrying: 'Trying now …',
    retry: 'Try now',
    outdated: 'The server has a newer version of this page.',
    reload: 'Reload',
  },
}
