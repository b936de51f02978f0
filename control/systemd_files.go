package control

import (
	"bufio"
	"context"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// unitFile is what is known of a service that has a unit file, whether it is loaded or not.
type unitFile struct{ state, description string }

// filesTimeout is long: systemd looks at every link in many folders, and does nothing else meanwhile. That is why it is
// asked once, after changes only, and why nothing here waits for it.
const filesTimeout = 2 * time.Minute

// listUnitFiles asks for all unit files of services, by name.
func listUnitFiles(ctx context.Context, conn *dbus.Conn, root string) (map[string]unitFile, error) {
	ctx, cancel := context.WithTimeout(ctx, filesTimeout)
	defer cancel()
	var list []struct{ Path, State string }
	call := conn.Object(sdName, sdPath).CallWithContext(ctx, sdManager+".ListUnitFilesByPatterns", 0, []string{}, []string{"*.service"})
	if err := call.Store(&list); err != nil {
		return nil, err
	}
	files := make(map[string]unitFile, len(list))
	for _, f := range list {
		name := path.Base(f.Path)
		// An alias is another name of a unit that has a file of its own; a template is no unit until it has an instance.
		if isService(name) && f.State != "alias" && !strings.HasSuffix(name, "@.service") {
			files[name] = unitFile{state: f.State, description: describe(filepath.Join(root, f.Path))}
		}
	}
	return files, nil
}

func isService(name string) bool { return strings.HasSuffix(name, ".service") }

// describe reads the description of a unit from its file, since asking systemd for it would load it.
func describe(path string) string {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() { // masked: /dev/null
		return ""
	}
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(io.LimitReader(f, 64<<10))
	for lines.Scan() {
		if key, value, ok := strings.Cut(lines.Text(), "="); ok && strings.TrimSpace(key) == "Description" {
			return oneLine(strings.TrimSpace(value), maxMessage)
		}
	}
	return ""
}

func isError(err error, name string) bool {
	e, ok := err.(dbus.Error)
	return ok && e.Name == name
}
