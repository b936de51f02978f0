// Made from the Go structs by `make generate`; not written by hand.

export interface ErrorBody {
	code: string
	message: string
	position?: number
	secondFactor?: boolean
}

export interface ErrorReply {
	error: ErrorBody
}

export interface SessionReply {
	username: string
	role: 'viewer' | 'operator' | 'admin'
	expiresAt: string
	mustEnrol: boolean
	warning?: string
}

export interface EntryReply {
	session: SessionReply | null
	ended?: string
}

export interface SecondFactorReply {
	active: boolean
	required: boolean
	since: string | null
	recoveryCodes: number
}

export interface EnrolmentReply {
	secret: string
	uri: string
	qr: string[]
}

export interface RecoveryCodesReply {
	recoveryCodes: string[]
}

export interface SessionRow {
	id: string
	username: string
	role: 'viewer' | 'operator' | 'admin'
	createdAt: string
	lastUsed: string
	expiresAt: string
	address: string
	userAgent: string
	current: boolean
}

export interface SessionsReply {
	sessions: SessionRow[]
}

export interface UserRow {
	name: string
	role: 'viewer' | 'operator' | 'admin'
	createdAt: string
	passwordChanged: string
	lastLogin: string | null
	secondFactor: boolean
}

export interface UsersReply {
	users: UserRow[]
}

export interface ScheduledTask {
	kind: 'cron' | 'timer'
	schedule: string
	user: string
	command: string
	source: string
	next: string | null
}

export interface Host {
	hostname: string
	os: string
	kernel: string
	architecture: string
	virtualization: string
	bootTime: string | null
	uptime: number | null
	timezone: string
	cpuModel: string
	cpuCount: number
	memoryTotal: number
	source: string
	serviceManagers: string[]
	scheduledTasks: ScheduledTask[]
	errors: Record<string, string>
}

export interface Tasks {
	total: number
	running: number
	sleeping: number
	stopped: number
	zombie: number
}

export interface CPU {
	us: number
	sy: number
	ni: number
	id: number
	wa: number
	hi: number
	si: number
	st: number
}

export interface Memory {
	total: number
	free: number
	used: number
	buffCache: number
	available: number
}

export interface Swap {
	total: number
	free: number
	used: number
}

export interface PressureShare {
	some: number
	full: number
}

export interface Pressure {
	cpu: PressureShare
	memory: PressureShare
	io: PressureShare
}

export interface Disk {
	name: string
	readBytesPerSecond: number
	writeBytesPerSecond: number
	readsPerSecond: number
	writesPerSecond: number
	busyPercent: number
}

export interface Interface {
	name: string
	receiveBytesPerSecond: number
	transmitBytesPerSecond: number
	receivePacketsPerSecond: number
	transmitPacketsPerSecond: number
	errorsPerSecond: number
}

export interface FileSystem {
	device: string
	mountPoint: string
	type: string
	total: number
	free: number
	available: number
}

export interface FailedServices {
	total: number
	names: string[]
}

export interface SummaryReply {
	time: string
	tasks: Tasks | null
	cpu: CPU
	cores: number[]
	memory: Memory
	swap: Swap
	load: [number, number, number]
	uptime: number
	pressure: Pressure | null
	disks: Disk[]
	interfaces: Interface[]
	fileSystems: FileSystem[]
	errors: Record<string, string>
	failedServices: FailedServices
}

export interface Point {
	time: string
	cpu: CPU
	memory: Memory
	swap: Swap
	load: [number, number, number]
	pressure: Pressure | null
	readBytesPerSecond: number
	writeBytesPerSecond: number
	receiveBytesPerSecond: number
	transmitBytesPerSecond: number
	cores?: number[]
}

export interface HistoryReply {
	interval: number
	points: Point[]
}

export interface Process {
	pid: number
	startTime: number
	startedAt: string
	ppid: number
	user: string
	state: string
	nice: number
	comm: string
	cmdline: string
	cpuPercent: number
	rss: number
	vsize: number
	threads: number
	unit: string
	slice: string
}

export interface ProcessesReply {
	time: string
	total: number
	matched: number
	processes: Process[]
	errors: Record<string, string>
}

export interface Limit {
	name: string
	soft: number | null
	hard: number | null
	unit: string
}

export interface Descriptor {
	fd: number
	kind: string
	target: string
}

export interface Descriptors {
	total: number
	kinds: Record<string, number>
	open: Descriptor[]
}

export interface ProcessMemory {
	rss: number
	pss: number
	uss: number
	swap: number
}

export interface ProcessIO {
	readBytes: number
	writeBytes: number
	readChars: number
	writeChars: number
	readCalls: number
	writeCalls: number
	cancelledBytes: number
}

export interface ProcessStatus {
	realUser: string
	gid: number
	peakRss: number
	tracerPid: number
	noNewPrivileges: boolean
	seccomp: '' | 'off' | 'strict' | 'filter'
	voluntarySwitches: number
	involuntarySwitches: number
}

export interface Socket {
	protocol: string
	recvQ: number
	sendQ: number
	localAddress: string
	localPort: number
	remoteAddress: string
	remotePort: number
	state: string
	pid: number
	program: string
	user: string
	unit: string
	inode: number
	cookie: string
}

export interface Variable {
	name: string
	value: string
}

export interface ProcessDetail {
	process: Process
	cwd: string
	exe: string
	cgroup: string
	limits: Limit[]
	descriptors: Descriptors | null
	memory: ProcessMemory | null
	io: ProcessIO | null
	status: ProcessStatus | null
	sockets: Socket[]
	children: Process[]
	environment?: Variable[]
	errors: Record<string, string>
}

export interface SocketsReply {
	time: string
	total: number
	matched: number
	sockets: Socket[]
	errors: Record<string, string>
}

export interface Service {
	name: string
	manager: string
	description: string
	loadState: string
	activeState: string
	subState: string
	unitFileState: string
	result: string
	exitCode: number | null
	signal: string
	mainPid: number
	pids: number[]
	ports: number[]
	cpuPercent: number | null
	memory: number | null
	since: string | null
	actions: string[]
}

export interface ServicesReply {
	total: number
	matched: number
	services: Service[]
	managers: string[]
	errors: Record<string, string>
}

export interface JournalLine {
	time: string
	priority: number
	pid: number
	program: string
	text: string
}

export interface Peer {
	address: string
	connections: number
}

export interface ServiceReply {
	service: Service
	dependencies: Record<string, string[]>
	stopsToo: string[]
	guarded: string
	lastLines: JournalLine[]
	connected: Peer[]
	carriesSession: boolean
	errors: Record<string, string>
}

export interface JournalReply {
	lines: JournalLine[]
}

export interface OutputReply {
	text: string
	truncated: boolean
	lost?: 'start' | 'end'
}

export interface Operation {
	id: string
	logTime: string
	logType: string
	target: string
	actor: string
	source: string
	retStatus: 'running' | 'succeeded' | 'failed' | 'interrupted'
	message: string
	detail: string
	exitCode: number | null
	duration: number
	logStatus: 'new' | 'seen'
	seenBy: string
}

export interface OperationsReply {
	total: number
	atLeast: boolean
	unseen: number
	next: string
	operations: Operation[]
}

export interface ActivityHour {
	start: string
	acts: number
	failed: number
	other: number
}

export interface ActivityReply {
	hours: ActivityHour[]
}

export interface OperationReply {
	operation: Operation
}

export interface UnseenReply {
	unseen: number
}

export interface HelloMessage {
	type: 'hello'
	build: string
	username: string
	role: 'viewer' | 'operator' | 'admin'
	unseen: number
	commands: boolean
}

export interface WatchingMessage {
	type: 'watching'
	id: string
	view: number
}

export interface ErrorMessage {
	type: 'error'
	id: string
	error: ErrorBody
}

export interface SnapshotMessage<Row> {
	type: 'snapshot'
	view: number
	seq: number
	time: string
	total: number
	matched: number
	rows: Row[]
	errors: Record<string, string>
}

export interface EndedRow<Row> {
	key: string
	exitCode: number | null
	signal: number | null
	lived: number
	row?: Row
}

export interface DeltaMessage<Row> {
	type: 'delta'
	view: number
	seq: number
	time: string
	total: number
	matched: number
	upsert: Row[]
	remove: string[]
	ended: EndedRow<Row>[]
	errors: Record<string, string>
}

export interface SummaryMessage {
	type: 'summary'
	view: number
	seq: number
	time: string
	tasks: Tasks | null
	cpu: CPU
	cores: number[]
	memory: Memory
	swap: Swap
	load: [number, number, number]
	uptime: number
	pressure: Pressure | null
	disks: Disk[]
	interfaces: Interface[]
	fileSystems: FileSystem[]
	errors: Record<string, string>
	failedServices: FailedServices
}

export interface FailedMessage {
	type: 'failed'
	view: number
	seq: number
	total: number
	names: string[]
}

export interface OperationMessage {
	type: 'operation'
	operation: Operation
	unseen: number
}

export interface UnseenMessage {
	type: 'unseen'
	unseen: number
}

export interface JournalMessage {
	type: 'journal'
	view: number
	lines: JournalLine[]
}

export interface OutputLine {
	text: string
}

export interface OutputMessage {
	type: 'output'
	view: number
	lines: OutputLine[]
}

export interface Watch {
	id: string
	topic: 'summary' | 'processes' | 'sockets' | 'services' | 'failed' | 'journal' | 'output'
	q?: string
	sort?: string
	order?: 'asc' | 'desc' | ''
	limit?: number
	service?: string
	lines?: number
	operation?: string
}

export interface Unwatch {
	id: string
}

export interface ClientMessage {
	watch?: Watch
	unwatch?: Unwatch
}

export type ServerMessage<Row = unknown> =
	| HelloMessage
	| WatchingMessage
	| ErrorMessage
	| SnapshotMessage<Row>
	| DeltaMessage<Row>
	| SummaryMessage
	| FailedMessage
	| OperationMessage
	| UnseenMessage
	| JournalMessage
	| OutputMessage

/** What a query may ask of each list: the names of its fields, each with its short ones. */
export const queryFields: Record<string, readonly QueryField[]> = {
	processes: [
		{ name: 'pid', short: [], kind: 'number' },
		{ name: 'startTime', short: [], kind: 'number' },
		{ name: 'startedAt', short: [], kind: 'time' },
		{ name: 'ppid', short: [], kind: 'number' },
		{ name: 'user', short: [], kind: 'text' },
		{ name: 'state', short: [], kind: 'word' },
		{ name: 'nice', short: [], kind: 'number' },
		{ name: 'comm', short: ['name'], kind: 'text' },
		{ name: 'cmdline', short: [], kind: 'text' },
		{ name: 'cpuPercent', short: ['cpu'], kind: 'number' },
		{ name: 'rss', short: ['mem'], kind: 'bytes' },
		{ name: 'vsize', short: [], kind: 'bytes' },
		{ name: 'threads', short: [], kind: 'number' },
		{ name: 'unit', short: [], kind: 'text' },
		{ name: 'slice', short: [], kind: 'text' },
	],
	sockets: [
		{ name: 'protocol', short: ['proto'], kind: 'word' },
		{ name: 'recvQ', short: [], kind: 'bytes' },
		{ name: 'sendQ', short: [], kind: 'bytes' },
		{ name: 'localAddress', short: ['local'], kind: 'text' },
		{ name: 'localPort', short: [], kind: 'number' },
		{ name: 'remoteAddress', short: ['remote'], kind: 'text' },
		{ name: 'remotePort', short: [], kind: 'number' },
		{ name: 'port', short: [], kind: 'number' },
		{ name: 'state', short: [], kind: 'word' },
		{ name: 'pid', short: [], kind: 'number' },
		{ name: 'program', short: ['name'], kind: 'text' },
		{ name: 'user', short: [], kind: 'text' },
		{ name: 'unit', short: [], kind: 'text' },
		{ name: 'inode', short: [], kind: 'number' },
		{ name: 'cookie', short: [], kind: 'text' },
	],
	services: [
		{ name: 'name', short: [], kind: 'text' },
		{ name: 'manager', short: [], kind: 'word' },
		{ name: 'description', short: [], kind: 'text' },
		{ name: 'loadState', short: [], kind: 'word' },
		{ name: 'activeState', short: ['state'], kind: 'word' },
		{ name: 'subState', short: [], kind: 'word' },
		{ name: 'unitFileState', short: [], kind: 'word' },
		{ name: 'result', short: [], kind: 'word' },
		{ name: 'exitCode', short: [], kind: 'number' },
		{ name: 'signal', short: [], kind: 'word' },
		{ name: 'mainPid', short: [], kind: 'number' },
		{ name: 'pids', short: ['pid'], kind: 'number' },
		{ name: 'ports', short: ['port'], kind: 'number' },
		{ name: 'cpuPercent', short: ['cpu'], kind: 'number' },
		{ name: 'memory', short: ['mem'], kind: 'bytes' },
		{ name: 'since', short: [], kind: 'time' },
		{ name: 'actions', short: [], kind: 'text' },
	],
	operations: [
		{ name: 'id', short: [], kind: 'word' },
		{ name: 'logTime', short: ['time'], kind: 'time' },
		{ name: 'logType', short: ['type'], kind: 'text' },
		{ name: 'target', short: ['name'], kind: 'text' },
		{ name: 'actor', short: [], kind: 'text' },
		{ name: 'source', short: [], kind: 'text' },
		{ name: 'retStatus', short: [], kind: 'word' },
		{ name: 'message', short: [], kind: 'text' },
		{ name: 'detail', short: [], kind: 'text' },
		{ name: 'exitCode', short: [], kind: 'number' },
		{ name: 'duration', short: [], kind: 'number' },
		{ name: 'logStatus', short: [], kind: 'word' },
		{ name: 'seenBy', short: [], kind: 'text' },
	],
}

export interface QueryField {
	name: string
	short: readonly string[]
	kind: 'text' | 'word' | 'number' | 'bytes' | 'time'
}
