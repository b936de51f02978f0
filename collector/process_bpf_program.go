package collector

import (
	"fmt"
	"unsafe"

	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// taskRecord is what the program writes of each task. Of a process it is that of its first thread; of the other threads
// only the first group of fields means something.
type taskRecord struct {
	tgid, pid uint32 // of the process, and of the thread
	sequence  uint32 // moves on by two when a thread of the process ends, and is odd meanwhile
	flags     uint32
	used      uint64 // processor time of the thread, in nanoseconds
	faults    [2]uint64

	parent    uint32 // its tgid
	state     uint32
	exitState uint32
	priority  uint32 // 120 + nice
	threads   uint32
	uid       uint32 // effective
	usedEnded uint64 // by threads that have ended
	lost      [2]uint64
	start     uint64 // nanoseconds since boot
	vsize     uint64 // pages
	pages     [3]int64
	exec      uint64 // programs executed
	cgroup    uint64
	groups    uint64
	comm      [16]byte
	again     uint32 // sequence, read last
	_         uint32
}

const (
	recordSize = int(unsafe.Sizeof(taskRecord{}))
	// kernelThread is PF_KTHREAD of linux/sched.h: it has no memory of its own, whatever memory it uses.
	kernelThread = 0x00200000
)

// newTaskIterator makes the iterator that writes a taskRecord for each task of the running kernel. Its error tells which
// part of the kernel's data is not as this program knows it.
func newTaskIterator(k *kernelTypes) (*iterator, error) {
	code := taskProgram(k)
	if k.err != nil {
		return nil, k.err
	}
	return newIterator("task", code)
}

// taskProgram is the program: task in R6, meta in R7, and in R8 and R9 what is looked at within. The kernel follows
// pointers for it, and gives 0 for what is behind one that leads nowhere; those into a process's memory it may lack.
func taskProgram(k *kernelTypes) asm.Instructions {
	p := &programWriter{k: k}
	var r taskRecord
	p.add(
		asm.LoadMem(asm.R7, asm.R1, 0, asm.DWord),
		asm.LoadMem(asm.R6, asm.R1, 8, asm.DWord),
		asm.JEq.Imm(asm.R6, 0, "exit"), // after the last
	)
	p.follow(asm.R8, asm.R6, "task_struct", "signal")
	sequence := "stats_lock.seqcount.sequence"
	if !k.has("signal_struct", sequence) {
		sequence = "stats_lock.seqcount.seqcount.sequence" // Linux 5.10 and later
	}
	p.copy(asm.R8, "signal_struct", sequence, 4, unsafe.Offsetof(r.sequence))
	p.copy(asm.R8, "signal_struct", "nr_threads", 4, unsafe.Offsetof(r.threads))
	p.copy(asm.R8, "signal_struct", "sum_sched_runtime", 8, unsafe.Offsetof(r.usedEnded))
	p.copy(asm.R8, "signal_struct", "min_flt", 8, unsafe.Offsetof(r.lost))
	p.copy(asm.R8, "signal_struct", "maj_flt", 8, unsafe.Offsetof(r.lost)+8)
	// Where it is missing (s390, POWER), /proc tells times that were measured another way.
	k.offset("signal_struct", "prev_cputime.utime", 8)

	p.copy(asm.R6, "task_struct", "tgid", 4, unsafe.Offsetof(r.tgid))
	p.copy(asm.R6, "task_struct", "pid", 4, unsafe.Offsetof(r.pid))
	p.copy(asm.R6, "task_struct", "flags", 4, unsafe.Offsetof(r.flags))
	p.copy(asm.R6, "task_struct", "se.sum_exec_runtime", 8, unsafe.Offsetof(r.used))
	p.copy(asm.R6, "task_struct", "min_flt", 8, unsafe.Offsetof(r.faults))
	p.copy(asm.R6, "task_struct", "maj_flt", 8, unsafe.Offsetof(r.faults)+8)
	p.copy(asm.R6, "task_struct", "exit_state", 4, unsafe.Offsetof(r.exitState))
	p.copy(asm.R6, "task_struct", "static_prio", 4, unsafe.Offsetof(r.priority))
	p.copy(asm.R6, "task_struct", "start_boottime", 8, unsafe.Offsetof(r.start))
	p.copy(asm.R6, "task_struct", "self_exec_id", 8, unsafe.Offsetof(r.exec))
	if k.has("task_struct", "__state") {
		p.copy(asm.R6, "task_struct", "__state", 4, unsafe.Offsetof(r.state))
	} else { // before Linux 5.14
		p.add(asm.LoadMem(asm.R1, asm.R6, k.offset("task_struct", "state", 8), asm.DWord), p.store(unsafe.Offsetof(r.state), asm.Word))
	}
	comm := k.offset("task_struct", "comm", len(r.comm))
	for i := range uintptr(len(r.comm)) / 8 {
		p.add(asm.LoadMem(asm.R1, asm.R6, comm+int16(8*i), asm.DWord), p.store(unsafe.Offsetof(r.comm)+8*i, asm.DWord))
	}

	p.follow(asm.R8, asm.R6, "task_struct", "real_parent")
	p.copy(asm.R8, "task_struct", "tgid", 4, unsafe.Offsetof(r.parent))
	p.follow(asm.R8, asm.R6, "task_struct", "real_cred")
	p.copy(asm.R8, "cred", "euid.val", 4, unsafe.Offsetof(r.uid))
	// The set of groups is another object after each move in any hierarchy, and the group has a number of its own in v2.
	p.follow(asm.R8, asm.R6, "task_struct", "cgroups")
	p.follow(asm.R9, asm.R8, "css_set", "dfl_cgrp")
	p.add(asm.Mov.Reg(asm.R1, asm.R8), p.store(unsafe.Offsetof(r.groups), asm.DWord))
	p.follow(asm.R9, asm.R9, "cgroup", "kn")
	p.copy(asm.R9, "kernfs_node", "id", 8, unsafe.Offsetof(r.cgroup))

	p.add(asm.Mov.Imm(asm.R1, 0), p.store(unsafe.Offsetof(r.vsize), asm.DWord))
	for i := range uintptr(len(r.pages)) {
		p.add(p.store(unsafe.Offsetof(r.pages)+8*i, asm.DWord))
	}
	p.follow(asm.R9, asm.R6, "task_struct", "mm")
	p.add(asm.JEq.Imm(asm.R9, 0, "no memory"))
	p.copy(asm.R9, "mm_struct", "total_vm", 8, unsafe.Offsetof(r.vsize))
	for i, counter := range []int{0, 1, 3} { // of files, anonymous, shared: get_mm_rss of linux/mm.h
		p.add(asm.LoadMem(asm.R1, asm.R9, k.residentOffset(counter), asm.DWord), p.store(unsafe.Offsetof(r.pages)+8*uintptr(i), asm.DWord))
	}
	p.follow(asm.R8, asm.R6, "task_struct", "signal")
	p.code[len(p.code)-1] = p.code[len(p.code)-1].WithSymbol("no memory")
	p.copy(asm.R8, "signal_struct", sequence, 4, unsafe.Offsetof(r.again))
	p.add(asm.Mov.Imm(asm.R1, 0), p.store(unsafe.Offsetof(r.again)+4, asm.Word))

	p.add(
		asm.LoadMem(asm.R1, asm.R7, k.offset("bpf_iter_meta", "seq", 8), asm.DWord),
		asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, int32(-recordSize)),
		asm.Mov.Imm(asm.R3, int32(recordSize)),
		asm.FnSeqWrite.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("exit"),
		asm.Return(),
	)
	return p.code
}

// programWriter writes a program that copies fields of the kernel's data into a record on its stack.
type programWriter struct {
	k    *kernelTypes
	code asm.Instructions
}

func (p *programWriter) add(code ...asm.Instruction) { p.code = append(p.code, code...) }

// follow loads a pointer.
func (p *programWriter) follow(into, from asm.Register, structure, path string) {
	p.add(asm.LoadMem(into, from, p.k.offset(structure, path, 8), asm.DWord))
}

// copy stores a member of so many bytes, 4 or 8, of the structure that from points to.
func (p *programWriter) copy(from asm.Register, structure, path string, size int, to uintptr) {
	width := asm.DWord
	if size == 4 {
		width = asm.Word
	}
	p.add(asm.LoadMem(asm.R1, from, p.k.offset(structure, path, size), width), p.store(to, width))
}

// store puts R1 into the record.
func (p *programWriter) store(to uintptr, width asm.Size) asm.Instruction {
	return asm.StoreMem(asm.RFP, int16(int(to)-recordSize), asm.R1, width)
}

// residentOffset is where one of the counters of a process's resident pages is in mm_struct. They are an array of counters
// for each processor, of which only the sum so far is read (Linux 6.2 and later), or of plain numbers.
func (k *kernelTypes) residentOffset(counter int) int16 {
	path, within := "rss_stat", "count"
	if k.has("mm_struct", "rss_stat.count") {
		path, within = "rss_stat.count", ""
	}
	at, member, err := k.find("mm_struct", path)
	list, ok := btf.UnderlyingType(member).(*btf.Array)
	if err != nil || !ok || list.Nelems != 4 {
		k.fail(fmt.Errorf("mm_struct.%s of this kernel is no list of 4 counters", path))
		return 0
	}
	size, err := btf.Sizeof(list.Type)
	if err != nil {
		k.fail(err)
	}
	at += int16(counter * size)
	if within == "" && size != 8 {
		k.fail(fmt.Errorf("mm_struct.%s of this kernel has counters of %d bytes, not 8", path, size))
	}
	if within != "" {
		at += k.offset("percpu_counter", within, 8)
	}
	return at
}
