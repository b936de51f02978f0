package server

import (
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"os"
)

// bbolt trusts its file: a page that points to itself has it recurse until the program dies, a list of free pages that is
// too long takes all memory, and a page that is listed as free and is not is overwritten. So the tree is walked before bbolt
// maps the file: all of it in a small file; in a large one all branches, which point to every leaf, and few of the leaves.
// The layout is that of bbolt's format 2: internal/common/{page,meta,inode}.go and internal/freelist/shared.go.
const (
	pageHeader    = 16 // id uint64, flags uint16, count uint16, overflow uint32
	branchElement = 16 // pos uint32, ksize uint32, pgid uint64
	leafElement   = 16 // flags uint32, pos uint32, ksize uint32, vsize uint32
	bucketHeader  = 16 // root uint64, sequence uint64
	metaSize      = 64 // magic, version, pageSize, flags uint32; root, sequence, freelist, pgid, txid, checksum uint64

	branchFlag, leafFlag, freelistFlag = 1, 2, 16

	boltMagic    = 0xED0CDAED
	boltVersion  = 2
	noFreelist   = ^uint64(0)
	maxTreeDepth = 40
	smallFile    = 8192 // pages
	maxPageCount = 1 << 20
)

var native = binary.NativeEndian

// pageWalk is one look at the pages of a file.
type pageWalk struct {
	file     io.ReaderAt
	pageSize int
	pages    uint64 // those that are in use or free: all below this
	seen     map[uint64]bool
}

// checkPages tells what is wrong with the structure of the database in f, nil when nothing is.
func checkPages(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if info.Size() == 0 {
		return fmt.Errorf("it is empty")
	}
	meta := newestMeta(f)
	if meta == nil {
		return fmt.Errorf("it does not begin as a database does")
	}
	w := &pageWalk{file: f, pageSize: int(native.Uint32(meta[8:])), pages: native.Uint64(meta[40:]), seen: map[uint64]bool{0: true, 1: true}}
	if size := uint64(info.Size()); w.pages > size/uint64(w.pageSize) {
		return fmt.Errorf("it has %d bytes, and %d pages of %d belong to it", size, w.pages, w.pageSize)
	}
	if err := w.tree(native.Uint64(meta[16:]), 0); err != nil {
		return err
	}
	if freelist := native.Uint64(meta[32:]); freelist != noFreelist {
		return w.free(freelist)
	}
	return nil
}

// newestMeta is the valid meta page with the highest transaction, or nil.
func newestMeta(f io.ReaderAt) (newest []byte) {
	for _, at := range []int64{0, int64(os.Getpagesize())} {
		meta := make([]byte, metaSize)
		if _, err := f.ReadAt(meta, at+pageHeader); err != nil {
			continue
		}
		sum := fnv.New64a()
		sum.Write(meta[:56])
		pageSize := native.Uint32(meta[8:])
		if native.Uint32(meta) != boltMagic || native.Uint32(meta[4:]) != boltVersion || sum.Sum64() != native.Uint64(meta[56:]) ||
			pageSize < 512 || pageSize > 1<<16 {
			continue
		}
		if newest == nil || native.Uint64(meta[48:]) > native.Uint64(newest[48:]) {
			newest = meta
		}
	}
	return newest
}

// take notes that a page, with those that it overflows into, is in use.
func (w *pageWalk) take(id, overflow uint64) error {
	if id >= w.pages || overflow >= w.pages-id {
		return fmt.Errorf("page %d is beyond its end", id+overflow)
	}
	for n := id; n <= id+overflow; n++ {
		if w.seen[n] {
			return fmt.Errorf("page %d is used twice", n)
		}
		w.seen[n] = true
	}
	return nil
}

// read reads a page whole and notes that it is in use.
func (w *pageWalk) read(id uint64) (page []byte, flags uint16, count int, err error) {
	if id >= w.pages {
		return nil, 0, 0, fmt.Errorf("page %d is beyond its end", id)
	}
	head := make([]byte, pageHeader)
	at := int64(id) * int64(w.pageSize)
	if _, err := w.file.ReadAt(head, at); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	overflow := uint64(native.Uint32(head[12:]))
	if native.Uint64(head) != id || overflow > maxPageCount {
		return nil, 0, 0, fmt.Errorf("page %d is not what it should be", id)
	}
	if err := w.take(id, overflow); err != nil {
		return nil, 0, 0, err
	}
	page = make([]byte, (overflow+1)*uint64(w.pageSize))
	if _, err := w.file.ReadAt(page, at); err != nil {
		return nil, 0, 0, fmt.Errorf("page %d cannot be read: %w", id, err)
	}
	return page, native.Uint16(head[8:]), int(native.Uint16(head[10:])), nil
}

// tree checks the page id and what is below it.
func (w *pageWalk) tree(id uint64, depth int) error {
	page, flags, count, err := w.read(id)
	if err != nil {
		return err
	}
	_, err = w.elements(page, flags, count, fmt.Sprint("page ", id), depth)
	return err
}

// elements checks the elements of a page, or of a bucket that is stored within one, and tells whether it is a leaf.
func (w *pageWalk) elements(page []byte, flags uint16, count int, name string, depth int) (leaf bool, err error) {
	broken := func(what string) error { return fmt.Errorf("%s %s", name, what) }
	leaf = flags == leafFlag
	switch {
	case depth > maxTreeDepth:
		return leaf, broken("is too deep")
	case !leaf && flags != branchFlag:
		return leaf, broken("is neither branch nor leaf")
	case !leaf && count == 0:
		return leaf, broken("is a branch without leaves")
	case pageHeader+count*leafElement > len(page):
		return leaf, broken("has more elements than fit")
	}
	var last []byte
	leavesBelow := false
	for i := range count {
		at := pageHeader + i*leafElement
		e := page[at : at+leafElement]
		var pos, ksize, vsize uint64
		if leaf {
			pos, ksize, vsize = uint64(native.Uint32(e[4:])), uint64(native.Uint32(e[8:])), uint64(native.Uint32(e[12:]))
		} else {
			pos, ksize = uint64(native.Uint32(e)), uint64(native.Uint32(e[4:]))
		}
		begin := uint64(at) + pos
		if begin+ksize+vsize > uint64(len(page)) || begin < uint64(pageHeader+count*leafElement) || ksize == 0 {
			return leaf, broken("has an element that goes beyond it")
		}
		key := page[begin : begin+ksize]
		if last != nil && string(key) <= string(last) {
			return leaf, broken("is out of order")
		}
		last = key
		switch {
		case leaf && native.Uint32(e)&1 != 0:
			err = w.bucket(page[begin+ksize:begin+ksize+vsize], name, depth)
		case leaf:
		case leavesBelow && w.pages > smallFile:
			err = w.take(native.Uint64(e[8:]), 0)
		default:
			leavesBelow, err = w.child(native.Uint64(e[8:]), depth+1)
		}
		if err != nil {
			return leaf, err
		}
	}
	return leaf, nil
}

func (w *pageWalk) child(id uint64, depth int) (leaf bool, err error) {
	page, flags, count, err := w.read(id)
	if err != nil {
		return false, err
	}
	return w.elements(page, flags, count, fmt.Sprint("page ", id), depth)
}

// bucket checks a bucket, whose value is its root page, or holds its only page where that is small.
func (w *pageWalk) bucket(value []byte, name string, depth int) error {
	if len(value) < bucketHeader {
		return fmt.Errorf("%s has a bucket that is cut short", name)
	}
	if root := native.Uint64(value); root != 0 {
		return w.tree(root, depth+1)
	}
	inline := value[bucketHeader:]
	if len(inline) < pageHeader {
		return fmt.Errorf("%s has a bucket that is cut short", name)
	}
	_, err := w.elements(inline, native.Uint16(inline[8:]), int(native.Uint16(inline[10:])), name+" has a bucket that", depth+1)
	return err
}

// free checks the list of free pages: bbolt writes to those.
func (w *pageWalk) free(id uint64) error {
	page, flags, count, err := w.read(id)
	if err != nil {
		return err
	}
	if flags != freelistFlag {
		return fmt.Errorf("page %d is not the list of free pages", id)
	}
	ids := page[pageHeader:]
	n := uint64(count)
	if count == 0xFFFF { // then the count is the first of them
		n, ids = native.Uint64(ids), ids[8:]
	}
	if n > uint64(len(ids))/8 {
		return fmt.Errorf("page %d lists more free pages than fit", id)
	}
	for i := range n {
		if err := w.take(native.Uint64(ids[i*8:]), 0); err != nil {
			return fmt.Errorf("of the pages that are listed as free, %w", err)
		}
	}
	return nil
}
