package server

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"topdeck/control"
)

// stored are data files of each format, made by the last program that wrote it: of a server that was killed while a command ran. Each has ann
// (administrator), oda (operator) and vic (viewer), a session of ann and of oda, refused sign-ins of vic and of mallory, whom there is not, a
// command that failed, which oda has seen, and "sleep 77", which was running. From format 4 on ann has seen all else, and that it ran.
var stored = []struct {
	format   int
	at       int64  // when, in seconds since 1970
	head     string // of its log, as that program told it
	ann, oda string // tokens of their sessions
	denied   int    // records of refused sign-ins
	secret   string // of oda's second factor
}{
	{
		1, 1795647168, "12:2b6bb9611094f552e70b8c4b261646f6434dfc4490ef71e5735825bdb6db203c",
		"iqsg5muYkgRh8IrkirBc4YcN_Lke-5uE7F1J-MWP_rY", "QmYJlZOYxcyn_lvU8iyRpuRxNHSm3ZdzFzxu6o30IpI", 2, "",
	},
	{
		2, 1795647225, "12:14ae157e2265e5706342066d83afefd4e7544499eea0cdafa329fe7c448561be",
		"1SA49ombBQVu_935LJwO_mkrgODW-ues4VkdM5zfGFE", "VjAfXLkbEKsbcy7zvyj15MeXQurwsn10G93Ih0P4N5c", 2, "",
	},
	{
		3, 1795647505, "13:a836bd6d67945797ebd8eb7d9f9c32fd13b60ba395854caec52d2e015a94affd",
		"ojqFgs8s-SoKtQPzlLgXUxWtGuf6Iqx6xLUPvGhzUM8", "md5vHsqWzAKfh9L2GyCbNCtZRFIp0_3kOrHaVDk63as", 2, "Y6T5Q7XQ53VWE3LSYDHWZLZRTLMSDAGB",
	},
	{
		4, 1795692451, "13:ae8d62d68f275a0fff6440faa0ed3c4b4ef3f12892a047543be8b86f5551d71b",
		"aww47XSG9ynmzeOk6eGoY75GF9Z_vGvGbLfDucvJrko", "QcphnkbQ4r17rQYohSVH7dKAej3_MfGfcff907TrcFY", 2, "ZLVOBD2IVAA35HETZAK36RG2AMZHCRVG",
	},
}

// storedFile is the data file of a format.
func storedFile(t testing.TB, format int) []byte {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", fmt.Sprintf("format%d.db.gz", format)))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestEveryFormatIsStored(t *testing.T) {
	if last := stored[len(stored)-1].format; len(stored) != dbFormat || last != dbFormat {
		t.Errorf("the last of %d stored files is of format %d; files are written in format %d: store one", len(stored), last, dbFormat)
	}
}

// TestStoredFilesAreUpgraded opens data files of every format: all that was in them is there, and the log is whole, before and after.
func TestStoredFilesAreUpgraded(t *testing.T) {
	for _, c := range stored {
		t.Run(fmt.Sprint("format ", c.format), func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, dbFile)
			mustWrite(t, path, string(storedFile(t, c.format)))
			if format := formatOf(t, path); format != fmt.Sprint(c.format) {
				t.Fatalf("the stored file is of format %s", format)
			}
			head, err := control.ParseHead(c.head)
			if err != nil {
				t.Fatal(err)
			}
			before, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := VerifyLog(t.Context(), dir, []control.Head{head}); err != nil {
				t.Error(err)
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("it was changed by being verified")
			}

			clock := &testClock{t: time.Unix(c.at, 0).Add(time.Minute)}
			s := startServerIn(t, dir, clock)
			var names []string
			for _, row := range s.accounts.List() {
				names = append(names, fmt.Sprint(row.Name, " ", row.Role))
			}
			if got := fmt.Sprint(names); got != "[ann admin oda operator vic viewer]" {
				t.Errorf("accounts %s", got)
			}
			for name, token := range map[string]string{"ann": c.ann, "oda": c.oda} {
				b := s.browser()
				b.cookie = s.cookieName() + "=" + token
				if reply := into[SessionReply](t, b.want(200, "GET", "/session", nil)); reply.Username != name {
					t.Errorf("the session of %s is that of %s", name, reply.Username)
				}
			}
			if oda, _ := s.accounts.get("oda"); oda.SecondFactor == nil && c.secret != "" || oda.SecondFactor != nil && oda.SecondFactor.Secret != c.secret {
				t.Errorf("oda's second factor is %+v", oda.SecondFactor)
			}
			s.browser().signIn("vic") // with a hash of that program
			page, err := s.log.List(t.Context(), control.Filter{Limit: 100})
			if err != nil {
				t.Fatal(err)
			}
			kinds := map[string]int{}
			for _, o := range page.Operations {
				kinds[fmt.Sprint(o.LogType, " ", o.RetStatus)]++
				switch {
				case o.LogType == "user.role" && (o.SeenBy == "ann") != (c.format >= 4):
					t.Errorf("what ann marked with all is %+v", o)
				case o.Target == "sleep 77" && (o.RetStatus != control.Interrupted || o.Actor != "ann" || o.LogStatus != control.New):
					t.Errorf("what was running is %+v", o)
				case o.LogType == "command.run" && o.RetStatus == control.Failed && (o.SeenBy != "oda" || o.ExitCode == nil || *o.ExitCode != 3):
					t.Errorf("what failed is %+v", o)
				}
			}
			for kind, want := range map[string]int{
				"command.run failed": 1, "command.run interrupted": 1, "session.denied failed": c.denied, "user.add succeeded": 2, "user.role succeeded": 2,
			} {
				if kinds[kind] != want {
					t.Errorf("%d of %q, want %d: %v", kinds[kind], kind, want, kinds)
				}
			}
			b := s.browser()
			b.cookie = s.cookieName() + "=" + c.ann
			b.want(201, "POST", "/users", map[string]string{"username": "new", "password": testPassword, "role": "viewer"})
			s.stopServing()
			if _, err := VerifyLog(t.Context(), dir, []control.Head{head}); err != nil {
				t.Error(err)
			}
			if format := formatOf(t, path); format != fmt.Sprint(dbFormat) {
				t.Errorf("it is left in format %s", format)
			}
		})
	}
	t.Logf("row 20: stored data files of %d formats are upgraded: accounts, sessions and marks are there, their chains are whole", len(stored))
}

// formatOf reads what the file says of itself.
func formatOf(t *testing.T, path string) (format string) {
	t.Helper()
	db, err := bbolt.Open(path, 0o600, &bbolt.Options{ReadOnly: true, Timeout: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error {
		format = string(tx.Bucket([]byte(metaBucket)).Get([]byte(formatKey)))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return format
}
