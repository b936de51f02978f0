export const sockets = {
  sockets: {
    title: 'TCP/UDP services',
    none: 'No TCP or UDP sockets.',
    closed: 'No process has it: the kernel opens or ends the connection by itself',
    unseen:
      "None of the processes that topdeck sees has it open: it is the kernel's own, or of another PID namespace",
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
