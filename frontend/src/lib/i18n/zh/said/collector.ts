/** Why the kernel's own numbers matter. */
const why = {
  'and the kernel tells only that one which processes start and end':
    '内核只向初始命名空间通知进程的创建与退出',
  'and BPF tells only the PIDs and users of that one': 'BPF 只给出初始命名空间的 PID 和用户',
}

/** Fields of a crontab. */
const field = { 'day of the month': '日期', 'day of the week': '星期' }

/** Why a part of the host, or of a process, is not known. */
const parts = {
  'cannot be read now': '暂时无法读取',
  'cannot be read: %s': '无法读取：{1~said}',
  'not permitted: run topdeck as root': '没有权限：请以 root 身份运行 topdeck',
  'none: the process has ended and waits for its parent to notice':
    '无：进程已结束，正等待父进程回收',
  'none: this is a thread of the kernel': '无：这是内核线程',
  'this kernel does not tell': '此内核不提供该信息',
  'only the first %d were looked at': '只检查了前 {1} 个',
  'only the first %d KiB are shown': '只显示前 {1} KiB',
  'the process has ended': '进程已结束',
  'cannot read the process: %w': '无法读取进程：{1~said}',
  'cannot collect: the collector has stopped': '无法采集：采集已停止',
  'cannot list processes: %w': '无法列出进程：{1~said}',
  'cannot read %d of %d processes: %w': '{2} 个进程中有 {1} 个无法读取：{3~said}',
  'process %d: not a stat file: %.100q': '进程 {1}：不是 stat 文件：{2}',
  'cannot read this line of %s: %s': '无法识别 {1:w} 的这一行：{2}',
  'the kernel hides the processes of other users here (hidepid): run topdeck as root':
    '内核隐藏了其他用户的进程（hidepid）：请以 root 身份运行 topdeck',
  'cannot look into %d of %d processes, so the owners of their sockets are unknown: run topdeck as root':
    '{2} 个进程中有 {1} 个无法查看，其套接字的所属进程未知：请以 root 身份运行 topdeck',
  'cannot read the open files of process %d: %w': '无法读取进程 {1} 打开的文件：{2~said}',
  'cannot list all sockets: %s': '无法列出全部套接字：{1~said}',
  'the list changed whenever it was read; some sockets may be missing':
    '读取期间列表不断变化，可能缺少部分套接字',
  'sock_diag sent a broken message': 'sock_diag 发来的消息已损坏',
  'cannot open a sock_diag socket: %w': '无法打开 sock_diag 套接字：{1~said}',
  'cannot ask sock_diag: %w': '无法查询 sock_diag：{1~said}',
  'the kernel has no support for listing them, load its modules tcp_diag and udp_diag: %w':
    '内核不支持列出它们，请加载内核模块 tcp_diag 和 udp_diag：{1~said}',
  'sock_diag does not answer': 'sock_diag 没有应答',
  'sock_diag sent %d bytes at once, more than can be taken':
    'sock_diag 一次发来 {1} 字节，超出接收上限',
  'the kernel tells births and deaths only to root (CAP_NET_ADMIN)':
    '内核只向 root（CAP_NET_ADMIN）通知进程的创建与退出',
  "it is in another network namespace, as those of containers are, and only sockets of topdeck's own are looked at":
    '该进程位于另一个网络命名空间（如容器），topdeck 只查看自身命名空间中的套接字',
  'no proc connector: the kernel lacks CONFIG_PROC_EVENTS, or this is not the initial network namespace':
    '没有 proc connector：内核未启用 CONFIG_PROC_EVENTS，或当前不是初始网络命名空间',
  'cannot listen to the proc connector: %w': '无法监听 proc connector：{1~said}',
  'cannot tell the %s namespace: %w': '无法确定 {1:w} 命名空间：{2~said}',
  'this is not the initial %s namespace, %s': '当前不是初始 {1:w} 命名空间，{2:why}',
  '%s; so ends are noticed at the next sample, without exit codes, and processes that live between two samples not at all':
    '{1~said}；因此进程的退出要到下次采样才能发现，且没有退出码，两次采样之间的短命进程无法发现',
  'the proc connector failed, so that exit codes and short-lived processes are missing: %v':
    'proc connector 失效，因此缺少退出码和短命进程：{1~said}',
  'more happened than the kernel could tell: some exit codes and short-lived processes are missing':
    '内核来不及通知全部事件，缺少部分退出码和短命进程',
  'too many short-lived processes: %d are left out': '短命进程过多：省略了 {1} 个',
  'too many short-lived processes: %d were not looked at': '短命进程过多：{1} 个未检查',
  'too many short-lived processes: some are left out': '短命进程过多：省略了一部分',
  'cannot read the memory: %w': '无法读取内存信息：{1~said}',
  'cannot read processor times: %w': '无法读取 CPU 时间：{1~said}',
  'cannot read the load: %w': '无法读取负载：{1~said}',
  'cannot read the uptime: %w': '无法读取运行时间：{1~said}',
  'cannot read disks: %w': '无法读取磁盘信息：{1~said}',
  'cannot tell disks from partitions: %w': '无法区分磁盘与分区：{1~said}',
  'cannot read network interfaces: %w': '无法读取网络接口：{1~said}',
  'cannot read the mounts: %w': '无法读取挂载点：{1~said}',
  'does not answer: %s': '没有响应：{1}',
  '%d more are mounted; only the first %d are shown': '另有 {1} 个挂载；只显示前 {2} 个',
  'cannot read the pressure: %w': '无法读取压力信息（PSI）：{1~said}',
  'this kernel tells no pressure: it needs CONFIG_PSI and, where off by default, psi=1 on its command line':
    '此内核不提供压力信息（PSI）：需要 CONFIG_PSI；若默认关闭，还需内核启动参数 psi=1',
  'pressure is switched off in this kernel: boot it with psi=1':
    '此内核关闭了压力信息（PSI）：请在启动参数中加入 psi=1',
  '/proc/stat names no CPU': '/proc/stat 中没有 CPU',
  '/proc/stat tells no btime': '/proc/stat 中没有 btime',
  '/proc/cpuinfo names no model': '/proc/cpuinfo 中没有处理器型号',
  '/proc/meminfo tells no MemTotal': '/proc/meminfo 中没有 MemTotal',
  '/proc/uptime: %w': '/proc/uptime：{1~said}',
  'uname: %w': 'uname：{1~said}',
  'not a regular file': '不是普通文件',
  'neither %s nor %s exists': '{1:w} 和 {2:w} 都不存在',
  '%s names no operating system': '{1:w} 中没有操作系统名称',
  '/etc/localtime does not link to a zone, and %w': '/etc/localtime 没有链接到时区，且 {1~said}',
  '/etc/localtime does not link to a zone, and /etc/timezone is empty':
    '/etc/localtime 没有链接到时区，且 /etc/timezone 为空',
}

/** Why processes are not read by BPF. */
const kernel = {
  '%s; so /proc is read until topdeck starts again':
    '{1~said}；因此在 topdeck 重新启动前改为读取 /proc',
  "cannot read the open files of the kernel's tasks: %w": '无法读取内核任务打开的文件：{1~said}',
  'cannot read processes by BPF': '无法通过 BPF 读取进程',
  'BPF tells of the running kernel, not of what is in %s':
    'BPF 反映的是运行中的内核，而非 {1:w} 的内容',
  'the kernel lets only root use BPF (CAP_BPF and CAP_PERFMON), and not when it is locked down':
    '内核只允许 root 使用 BPF（CAP_BPF 和 CAP_PERFMON），锁定（lockdown）时也不允许',
  'the kernel does not describe its data (BTF): %w': '内核没有提供其数据的描述（BTF）：{1~said}',
  'the kernel does not take the BPF program for each %s: %w':
    '内核不接受遍历 {1:w} 的 BPF 程序：{2~said}',
  'cannot attach the BPF program for each %s: %w': '无法挂接遍历 {1:w} 的 BPF 程序：{2~said}',
  "cannot read the kernel's tasks: %w": '无法读取内核任务：{1~said}',
  "this kernel's tasks are not understood: the %s of this process is %v, /proc says %v":
    '无法理解此内核的任务：本进程的 {1} 为 {2:w}，而 /proc 给出 {3:w}',
  'this kernel has no %s: %w': '此内核没有 {1:w}：{2~said}',
  '%s of this kernel has no %s': '此内核的 {1:w} 没有 {2:w}',
  '%s.%s of this kernel has %d bytes, not %d': '此内核的 {1:w}.{2:w} 有 {3} 字节，而非 {4}',
  '%s.%s of this kernel is too far in, at %d': '此内核的 {1:w}.{2:w} 偏移过大：{3}',
  'mm_struct.%s of this kernel is no list of 4 counters':
    '此内核的 mm_struct.{1:w} 不是 4 个计数器',
  'mm_struct.%s of this kernel has counters of %d bytes, not 8':
    '此内核的 mm_struct.{1:w} 的计数器为 {2} 字节，而非 8',
  'no memory': '没有内存信息',
}

/** What is doubtful about the scheduled tasks. */
const schedule = {
  "no cron daemon is running, so cron's tasks do not run":
    'cron 守护进程没有运行，因此 cron 任务不会执行',
  'systemd timers: %v': 'systemd 定时器：{1~said}',
  'and %d more': '以及另外 {1} 项',
  '%d more tasks are not listed': '另有 {1} 项任务未列出',
  '%s: %d more lines cannot be read': '{1:w}：另有 {2} 行无法识别',
  '%s: only its first %d entries are listed': '{1:w}：只列出前 {2} 项',
  '%s: only its first %d KiB are read': '{1:w}：只读取前 {2} KiB',
  '%s: no newline at its end, so cron refuses the last line':
    '{1:w}：末尾没有换行符，因此 cron 不接受最后一行',
  '%s: no crontab runs this folder, so when its files run is not known; it holds %d':
    '{1:w}：没有 crontab 执行此目录，因此不知道其中的 {2} 项何时运行',
  '%s line %d: %v': '{1:w} 第 {2} 行：{3~said}',
  '%s line %d: too few fields': '{1:w} 第 {2} 行：字段太少',
  '%s line %d: too many time zones': '{1:w} 第 {2} 行：时区过多',
  '%s line %d: %s is no time zone': '{1:w} 第 {2} 行：{3:quoted} 不是时区',
  '%v (it takes root to see what is there)': '{1~said}（需要 root 才能查看其内容）',
  'too few fields': '字段太少',
  '%s is no schedule': '{1:quoted} 不是有效的时间计划',
  '%s is no %s: %w': '{1:quoted} 不是有效的{2:field}：{3~said}',
  '%s is not within %d-%d': '{1:quoted} 不在 {2}-{3} 范围内',
  'a random time, which cron chooses when it starts': '随机时间，由 cron 启动时选定',
  'a step needs a range or *': '步长需要配合范围或 *',
  '%s runs backwards': '{1:quoted} 的范围颠倒',
  '%s is no step': '{1:quoted} 不是有效的步长',
}

/** What package collector says. */
export const collector = { why, field, parts, kernel, schedule }
