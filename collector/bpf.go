package collector

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// A BPF iterator is a program that the kernel calls for each of its objects (tasks, open files) while we read what it
// writes: one read(2) tells hundreds of them, where /proc takes three calls for each. The programs are built here in Go for
// the running kernel alone, from its own description of its data (BTF): no compiler, no object file, and no guess.

// bpfAllowed tells why BPF iterators are of no use here. They tell the running kernel's own PIDs and users.
func bpfAllowed(proc string) error {
	if filepath.Clean(proc) != "/proc" {
		return fmt.Errorf("BPF tells of the running kernel, not of what is in %s", proc)
	}
	return initialNamespaces(proc, "and BPF tells only the PIDs and users of that one")
}

// kernelTypes is the running kernel's description of its data. It remembers the first thing that was not as asked for, so
// that a program can be written down whole before err is looked at.
type kernelTypes struct {
	spec *btf.Spec
	err  error
}

func loadKernelTypes() (*kernelTypes, error) {
	spec, err := btf.LoadKernelSpec()
	if err != nil {
		return nil, fmt.Errorf("the kernel does not describe its data (BTF): %w", err)
	}
	return &kernelTypes{spec: spec}, nil
}

// offset is where a member of a structure is, in bytes. Its path leads through structures that are within others
// ("se.sum_exec_runtime"), not through pointers; those without a name are looked through. It must be so many bytes long.
func (k *kernelTypes) offset(structure, path string, size int) int16 {
	at, member, err := k.find(structure, path)
	if err == nil {
		if n, sizeErr := btf.Sizeof(member); sizeErr != nil || n != size {
			err = fmt.Errorf("%s.%s of this kernel has %d bytes, not %d", structure, path, n, size)
		}
	}
	k.fail(err)
	return at
}

// fail remembers the first error.
func (k *kernelTypes) fail(err error) {
	if k.err == nil {
		k.err = err
	}
}

// has tells whether a structure has such a member.
func (k *kernelTypes) has(structure, path string) bool {
	_, _, err := k.find(structure, path)
	return err == nil
}

func (k *kernelTypes) find(structure, path string) (at int16, member btf.Type, err error) {
	var found *btf.Struct
	if err := k.spec.TypeByName(structure, &found); err != nil {
		return 0, nil, fmt.Errorf("this kernel has no %s: %w", structure, err)
	}
	member = found
	sum := uint32(0)
	for name := range strings.SplitSeq(path, ".") {
		m, offset, ok := memberOf(member, name)
		if !ok || m.BitfieldSize != 0 {
			return 0, nil, fmt.Errorf("%s of this kernel has no %s", structure, path)
		}
		member = m.Type
		sum += offset
	}
	if sum > math.MaxInt16 {
		return 0, nil, fmt.Errorf("%s.%s of this kernel is too far in, at %d", structure, path, sum)
	}
	return int16(sum), member, nil
}

// memberOf finds a member of a structure or union, also within those that have no name.
func memberOf(t btf.Type, name string) (found btf.Member, offset uint32, ok bool) {
	var members []btf.Member
	switch t := btf.UnderlyingType(t).(type) {
	case *btf.Struct:
		members = t.Members
	case *btf.Union:
		members = t.Members
	}
	for _, m := range members {
		if m.Name == name {
			return m, m.Offset.Bytes(), true
		}
		if m.Name == "" {
			if found, offset, ok = memberOf(m.Type, name); ok {
				return found, m.Offset.Bytes() + offset, true
			}
		}
	}
	return btf.Member{}, 0, false
}

// records is what an iterator tells; see there.
type records interface {
	read(size int, visit func(records []byte)) error
	close()
}

// iterator is a program that the kernel calls for each object of one kind. One goroutine at a time may read it.
type iterator struct {
	program *ebpf.Program
	link    *link.Iter
	buffer  []byte
}

// newIterator loads a program for a kind of objects ("task", "task_file"). Its error says why there is none.
func newIterator(kind string, code asm.Instructions) (*iterator, error) {
	program, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "topdeck_" + kind, Type: ebpf.Tracing, AttachType: ebpf.AttachTraceIter, AttachTo: kind,
		Instructions: code, License: "GPL",
	})
	switch {
	case errors.Is(err, unix.EPERM):
		return nil, errors.New("the kernel lets only root use BPF (CAP_BPF and CAP_PERFMON), and not when it is locked down")
	case err != nil:
		return nil, fmt.Errorf("the kernel does not take the BPF program for each %s: %w", kind, err)
	}
	l, err := link.AttachIter(link.IterOptions{Program: program})
	if err != nil {
		program.Close()
		return nil, fmt.Errorf("cannot attach the BPF program for each %s: %w", kind, err)
	}
	// The kernel gathers in eight pages and never cuts a record to fit in there.
	return &iterator{program, l, make([]byte, 8*os.Getpagesize())}, nil
}

// read goes through all objects once. It calls visit with records of this size, many at a time, right after the kernel has
// written them; visit must not keep them.
func (i *iterator) read(size int, visit func(records []byte)) error {
	run, err := i.link.Open()
	if err != nil {
		return err
	}
	defer run.Close()
	for kept := 0; ; {
		n, err := run.Read(i.buffer[kept:])
		n += kept
		whole := n - n%size
		if whole > 0 {
			visit(i.buffer[:whole])
		}
		kept = copy(i.buffer, i.buffer[whole:n])
		switch {
		case err == io.EOF && kept == 0:
			return nil
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil && !errors.Is(err, unix.EAGAIN): // which says: a million objects passed, go on
			return err
		}
	}
}

func (i *iterator) close() {
	i.link.Close()
	i.program.Close()
}
