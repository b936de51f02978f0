export const sockets = {
  sockets: {
    title: 'TCP/UDP services',
    none: 'No TCP or UDP sockets.',
    columns: {
      protocol: 'Protocol',
      recvQHint: 'Bytes received and not yet read; for LISTEN, connections waiting to be accepted',
      sendQHint: 'Bytes sent and not yet acknowledged; for LISTEN, the most that may wait',
      local: 'Local address',
      localHint: 'Sorted by port',
      remote: 'Remote address',
      remoteHint: 'Sorted by port',
      state: 'State',
      program: 'PID/Program',
      user: 'User',
      unit: 'Unit',
    },
  },
}
