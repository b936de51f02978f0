package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

const quietFor = 100 // milliseconds without a byte

// drain is the clients of a fan: it reads what comes to each and looks at none of it, so that as little as can be of the
// machine goes to them.
type drain struct {
	mode, address, bare string
	cookies             []string
	epoll               int
	live                []int // descriptors of the WebSockets
	buffer              []byte
	ponged              time.Time
}

// runDrain is `bench drain MODE CLIENTS ADDRESS BARE COOKIE…`. After what has come to the clients it prints how many bytes, and
// when the last one did. Told "floor" it opens as many bare connections, "stall" one more client that never reads.
func runDrain(args []string) error {
	if len(args) < 5 {
		return errors.New("drain takes a mode, clients, two addresses and cookies")
	}
	n, _ := strconv.Atoi(args[1])
	if err := raiseFileLimit(); err != nil {
		return err
	}
	d := &drain{mode: args[0], address: args[2], bare: args[3], cookies: args[4:], buffer: make([]byte, 1<<20), ponged: time.Now()}
	var err error
	if d.epoll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return err
	}
	for i := range n {
		fd, err := d.open(d.cookies[i%len(d.cookies)])
		if err != nil {
			return fmt.Errorf("client %d: %w", i, err)
		}
		d.live = append(d.live, fd)
		if err := d.follow(fd); err != nil {
			return err
		}
	}
	told := make(chan string)
	go func() {
		for in := bufio.NewScanner(os.Stdin); in.Scan(); {
			told <- in.Text()
		}
		os.Exit(0)
	}()
	for {
		select {
		case word := <-told:
			if err := d.obey(word, n); err != nil {
				return err
			}
		default:
		}
		if err := d.round(); err != nil {
			return err
		}
	}
}

func (d *drain) obey(word string, n int) error {
	switch word {
	case "floor":
		for range n {
			fd, err := dial(d.bare)
			if err != nil {
				return err
			}
			if err := d.follow(fd); err != nil {
				return err
			}
		}
	case "stall":
		if _, err := d.open(d.cookies[0]); err != nil {
			return err
		}
		fmt.Println(0, 0)
	}
	return nil
}

// round reads until nothing comes for a while, and says what came. While nothing does at all it says nothing.
func (d *drain) round() error {
	total, last := 0, time.Duration(0)
	events := make([]unix.EpollEvent, 256)
	for {
		n, err := unix.EpollWait(d.epoll, events, quietFor)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		if n == 0 {
			break
		}
		for _, e := range events[:n] {
			got, err := unix.Read(int(e.Fd), d.buffer)
			if err != nil || got == 0 {
				return fmt.Errorf("a connection ended: %v", err)
			}
			total += got
		}
		last = monotonic(time.Now())
	}
	if time.Since(d.ponged) > 10*time.Second { // or the server takes the clients for dead
		d.ponged = time.Now()
		for _, fd := range d.live {
			if _, err := unix.Write(fd, []byte{0x8a, 0x80, 0, 0, 0, 0}); err != nil {
				return err
			}
		}
		time.Sleep(quietFor * time.Millisecond)
	}
	if total > 0 {
		fmt.Println(total, int64(last))
	}
	return nil
}

func (d *drain) follow(fd int) error {
	return unix.EpollCtl(d.epoll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN, Fd: int32(fd)})
}

// dial opens a connection that the Go runtime knows nothing of.
func dial(address string) (int, error) {
	to, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return 0, err
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	return fd, unix.Connect(fd, &unix.SockaddrInet4{Port: to.Port, Addr: [4]byte(to.IP.To4())})
}

// open is one WebSocket that watches the processes. What comes right after the handshake is dropped with it.
func (d *drain) open(cookie string) (int, error) {
	fd, err := dial(d.address)
	if err != nil {
		return 0, err
	}
	extensions := ""
	if d.mode == "deflate" {
		extensions = "Sec-WebSocket-Extensions: permessage-deflate\r\n"
	}
	request := "GET /api/v1/live HTTP/1.1\r\nHost: " + d.address + "\r\nOrigin: http://" + d.address + "\r\nCookie: " + cookie +
		"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
		"Sec-WebSocket-Protocol: topdeck.v1\r\n" + extensions + "\r\n"
	if _, err := unix.Write(fd, []byte(request)); err != nil {
		return 0, err
	}
	n, err := unix.Read(fd, d.buffer)
	if err != nil || !bytes.HasPrefix(d.buffer[:n], []byte("HTTP/1.1 101")) {
		return 0, errors.Join(err, fmt.Errorf("the handshake was answered with %.300s", d.buffer[:n]))
	}
	if d.mode == "deflate" != bytes.Contains(d.buffer[:n], []byte("permessage-deflate")) {
		return 0, fmt.Errorf("compression was not negotiated: %.300s", d.buffer[:n])
	}
	watch := []byte(`{"watch":{"id":"p","topic":"processes"}}`)
	frame := append([]byte{0x81, 0x80 | byte(len(watch)), 0, 0, 0, 0}, watch...) // masked with zeros
	_, err = unix.Write(fd, frame)
	return fd, err
}

// tell gives a child a word.
func (c *child) tell(word string) error {
	_, err := io.WriteString(c.input, word+"\n")
	return err
}
