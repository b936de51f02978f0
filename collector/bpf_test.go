package collector

import (
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/cilium/ebpf/asm"
)

// kernel is the running kernel's types, where BPF is of use.
func kernel(t testing.TB) *kernelTypes {
	t.Helper()
	needs(t, "root, for BPF", os.Getuid() == 0)
	err := bpfAllowed("/proc")
	needs(t, fmt.Sprintf("BPF (%v)", err), err == nil)
	k, err := loadKernelTypes()
	needs(t, fmt.Sprintf("BTF (%v)", err), err == nil)
	return k
}

// taskIDs is a program that writes the number of each task, 4 bytes.
func taskIDs(k *kernelTypes) asm.Instructions {
	return asm.Instructions{
		asm.LoadMem(asm.R6, asm.R1, 0, asm.DWord), // meta
		asm.LoadMem(asm.R7, asm.R1, 8, asm.DWord), // task, nil at the end
		asm.JEq.Imm(asm.R7, 0, "exit"),
		asm.LoadMem(asm.R1, asm.R7, k.offset("task_struct", "pid", 4), asm.Word),
		asm.StoreMem(asm.RFP, -4, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.R6, k.offset("bpf_iter_meta", "seq", 8), asm.DWord),
		asm.Mov.Reg(asm.R2, asm.RFP),
		asm.Add.Imm(asm.R2, -4),
		asm.Mov.Imm(asm.R3, 4),
		asm.FnSeqWrite.Call(),
		asm.Mov.Imm(asm.R0, 0).WithSymbol("exit"),
		asm.Return(),
	}
}

func TestIteratorTellsEveryThread(t *testing.T) {
	k := kernel(t)
	iterator, err := newIterator("task", taskIDs(k))
	if err != nil || k.err != nil {
		t.Fatal(err, k.err)
	}
	defer iterator.close()
	startHelper(t, "threads", "300").line()
	whole := iterator.buffer
	for _, buffer := range [][]byte{whole, make([]byte, 1022), whole} { // 1022: reads that end within a record
		iterator.buffer = buffer
		ids := make(map[int]int)
		if err := iterator.read(4, func(records []byte) {
			for ; len(records) > 0; records = records[4:] {
				ids[int(binary.NativeEndian.Uint32(records))]++
			}
		}); err != nil {
			t.Fatal(err)
		}
		if len(ids) < 300 {
			t.Errorf("only %d tasks", len(ids))
		}
		threads, err := os.ReadDir("/proc/self/task")
		if err != nil {
			t.Fatal(err)
		}
		for _, thread := range threads {
			var id int
			if _, err := fmt.Sscan(thread.Name(), &id); err != nil || ids[id] != 1 {
				t.Errorf("thread %s is told %d times (%v)", thread.Name(), ids[id], err)
			}
		}
	}
}

func TestKernelTypesAreChecked(t *testing.T) {
	k := kernel(t)
	if !k.has("task_struct", "se.sum_exec_runtime") || k.has("task_struct", "se.pid") || k.has("nobody", "pid") {
		t.Error("has is wrong")
	}
	if k.err != nil {
		t.Errorf("has leaves an error: %v", k.err)
	}
	for _, c := range []struct {
		structure, path string
		size            int
		want            string
	}{
		{"task_struct", "pid", 8, "task_struct.pid of this kernel has 4 bytes, not 8"},
		{"task_struct", "mm.total_vm", 8, "task_struct of this kernel has no mm.total_vm"}, // through a pointer
		{"task_struct", "se.color", 4, "task_struct of this kernel has no se.color"},
		{"task_struct", "in_execve", 4, "task_struct of this kernel has no in_execve"}, // a bit
		{"nobody", "pid", 4, "this kernel has no nobody"},
	} {
		k := &kernelTypes{spec: k.spec}
		k.offset(c.structure, c.path, c.size)
		k.offset("task_struct", "tgid", 4) // a good one after it does not hide it
		if k.err == nil || !strings.HasPrefix(k.err.Error(), c.want) {
			t.Errorf("%s.%s: %v, want %s", c.structure, c.path, k.err, c.want)
		}
	}
}

func TestBPFIsRefusedWhereItTellsOtherThings(t *testing.T) {
	if err := bpfAllowed(t.TempDir()); err == nil || !strings.Contains(err.Error(), "the running kernel") {
		t.Errorf("for a folder: %v", err)
	}
	needs(t, "root, for namespaces", os.Getuid() == 0)
	_, err := exec.LookPath("unshare")
	needs(t, "unshare", err == nil)
	for _, c := range []struct{ flags, want string }{
		{"--pid --fork --mount-proc", "this is not the initial PID namespace"},
		{"--user --map-root-user", "this is not the initial user namespace"},
	} {
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("unshare", append(strings.Fields(c.flags), self)...)
		cmd.Env = append(os.Environ(), helperVariable+"=allowed")
		said, err := cmd.CombinedOutput()
		if err != nil {
			needs(t, fmt.Sprintf("namespaces (%v: %s)", err, said), false)
		}
		if !strings.HasPrefix(string(said), c.want) {
			t.Errorf("with %s: %s, want %s", c.flags, said, c.want)
		}
	}
}
