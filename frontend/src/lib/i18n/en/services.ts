export const services = {
  services: {
    none: 'No services.',
    noneWithoutManager:
      'Neither systemd nor SysV scripts in /etc/init.d were found, so there are no services to show.',
    /** After their number. */
    failed: 'failed',
    fallen: (n: string, names: string) => `${n} services have failed: ${names}`,
    managers: (names: string) => `Managed by ${names}`,
    ways: { processes: 'Its processes', sockets: 'Its sockets' },
    columns: {
      processes: 'Proc',
      processesHint: 'Processes',
      name: 'Name',
      state: 'State',
      atBoot: 'At boot',
      atBootHint: 'Whether it starts with the host',
      pid: 'PID',
      cpu: 'CPU %',
      cpuHint: 'All its processes; 100 is one core',
      memory: 'Memory',
      ports: 'Ports',
      since: 'Since',
      sinceHint: 'How long it has been in this state',
      manager: 'Manager',
      description: 'Description',
    },
  },
}
