package collector

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
)

// pressure reads the three files of /proc/pressure, the kernel's pressure stall information: processor, memory, input and output.
func pressure(files *[3]procFile) (*Pressure, error) {
	var p Pressure
	for i, share := range [...]*PressureShare{&p.CPU, &p.Memory, &p.IO} {
		text, err := files[i].read()
		if err != nil {
			return nil, pressureError(err)
		}
		for line := range bytes.Lines(text) {
			// some avg10=0.00 avg60=0.00 avg300=0.00 total=0; the processor has no line full before Linux 5.13
			kind, rest, _ := bytes.Cut(line, []byte(" avg10="))
			average, _, _ := bytes.Cut(rest, []byte(" "))
			v, ok := fraction(average)
			switch {
			case !ok:
				return nil, unreadable("/proc/pressure", line)
			case string(kind) == "some":
				share.Some = v
			case string(kind) == "full":
				share.Full = v
			}
		}
	}
	return &p, nil
}

func pressureError(err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return errors.New("this kernel tells no pressure: it needs CONFIG_PSI and, where off by default, psi=1 on its command line")
	case errors.Is(err, syscall.EOPNOTSUPP):
		return errors.New("pressure is switched off in this kernel: boot it with psi=1")
	}
	return fmt.Errorf("cannot read the pressure: %w", err)
}
