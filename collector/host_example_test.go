package collector_test

import (
	"context"
	"fmt"

	"topdeck/collector"
)

// A value that cannot be had is empty, and its reason stands under its JSON name.
func ExampleHostReader_Host() {
	reader := collector.NewHostReader(collector.HostConfig{Root: "testdata/host/wsl"})
	host := reader.Host(context.Background())
	fmt.Println(host.OS, "in", host.Virtualization)

	reader = collector.NewHostReader(collector.HostConfig{Root: "testdata/host/wsl", Proc: "/nowhere"})
	host = reader.Host(context.Background())
	fmt.Printf("%q: %s\n", host.Hostname, host.Errors["hostname"])
	// Output:
	// Arch Linux in wsl
	// "": /proc/sys/kernel/hostname: no such file or directory
}
