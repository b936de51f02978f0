package collector

import (
	"errors"
	"io/fs"
	"slices"
	"strings"
)

// virtualization names what the host runs in as systemd-detect-virt(1) does, a container before a virtual machine;
// "none" on bare metal.
func (r *HostReader) virtualization() (string, error) {
	container, err := r.container()
	if container != "" {
		return container, nil
	}
	if machine := r.virtualMachine(); machine != "none" {
		return machine, nil
	}
	// Where systemd runs it has looked at PID 1's environment for everybody.
	if err != nil && !r.exists("/run/systemd/system") {
		return "", err
	}
	return "none", nil
}

// container is the kind of the container that the host is, or empty. The error tells what could not be looked at.
func (r *HostReader) container() (string, error) {
	// Container managers tell PID 1 in its environment; systemd copies that to a file that everybody may read.
	name, _ := r.line("/run/systemd/container")
	var err error
	if name == "" {
		var environ []byte
		environ, err = r.read("/proc/1/environ", 64<<10)
		for variable := range strings.SplitSeq(string(environ), "\x00") {
			if value, ok := strings.CutPrefix(variable, "container="); ok {
				name = strings.TrimSpace(value)
			}
		}
	}
	known := []string{"lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot", "pouch"}
	if slices.Contains(known, name) {
		return name, nil
	}
	for _, mark := range [][2]string{{"/run/.containerenv", "podman"}, {"/.dockerenv", "docker"}} {
		if r.exists(mark[0]) {
			return mark[1], nil
		}
	}
	if name != "" {
		return "container-other", nil
	}
	if release, _ := r.line("/proc/sys/kernel/osrelease"); strings.Contains(strings.ToLower(release), "microsoft") {
		return "wsl", nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil // no PID 1 to be seen, so none that could tell
	}
	return "", err
}

// virtualMachine is the kind of the virtual machine that the host is, or none. Without the CPUID instruction, which Go
// cannot issue, KVM and Hyper-V show by the clocks that they offer to the kernel.
func (r *HostReader) virtualMachine() string {
	if kind, err := r.line("/sys/hypervisor/type"); err == nil && kind == "xen" {
		if capabilities, _ := r.line("/proc/xen/capabilities"); strings.Contains(capabilities, "control_d") {
			return "none" // the machine itself, which holds the guests
		}
		return "xen"
	}
	flagged := r.hypervisorFlag()
	maker := r.firmwareMaker()
	switch maker {
	case "oracle", "xen", "parallels", "google", "vmware", "microsoft", "bhyve", "apple":
		return maker
	case "amazon":
		if product, _ := r.line("/sys/class/dmi/id/product_name"); strings.Contains(product, ".metal") {
			return "none"
		}
		return maker
	}
	clocks, _ := r.line("/sys/devices/system/clocksource/clocksource0/available_clocksource")
	for _, clock := range [][2]string{{"kvm-clock", "kvm"}, {"hyperv_clocksource", "microsoft"}, {"xen", "xen"}} {
		if strings.Contains(clocks, clock[0]) {
			return clock[1]
		}
	}
	if tree, err := r.line("/sys/firmware/devicetree/base/hypervisor/compatible"); err == nil {
		switch {
		case strings.Contains(tree, "linux,kvm"):
			return "kvm"
		case strings.Contains(tree, "xen"):
			return "xen"
		case strings.Contains(tree, "vmware"):
			return "vmware"
		}
		return "vm-other"
	}
	switch {
	case maker != "":
		return maker
	case flagged:
		return "vm-other"
	}
	return "none"
}

// hypervisorFlag tells whether an x86 CPU says that a hypervisor is below it. Source: proc_cpuinfo(5).
func (r *HostReader) hypervisorFlag() bool {
	data, _ := r.read("/proc/cpuinfo", 64<<10)
	for line := range strings.Lines(string(data)) {
		if key, value, _ := strings.Cut(line, ":"); strings.TrimSpace(key) == "flags" {
			return slices.Contains(strings.Fields(value), "hypervisor")
		}
	}
	return false
}

// firmwareMaker is the kind of virtual machine whose firmware this is, or empty. Source: DMI, in /sys/class/dmi/id.
func (r *HostReader) firmwareMaker() string {
	makers := [][2]string{
		{"KVM", "kvm"}, {"OpenStack", "kvm"}, {"KubeVirt", "kvm"}, {"Amazon EC2", "amazon"}, {"QEMU", "qemu"},
		{"VMware", "vmware"}, {"VMW", "vmware"}, {"innotek GmbH", "oracle"}, {"VirtualBox", "oracle"}, {"Xen", "xen"},
		{"Bochs", "bochs"}, {"Parallels", "parallels"}, {"BHYVE", "bhyve"}, {"Hyper-V", "microsoft"},
		{"Apple Virtualization", "apple"}, {"Google Compute Engine", "google"},
	}
	for _, file := range []string{"product_name", "sys_vendor", "board_vendor", "bios_vendor", "product_version"} {
		text, err := r.line("/sys/class/dmi/id/" + file)
		if err != nil {
			continue
		}
		if file == "product_name" && text == "Virtual Machine" {
			if vendor, _ := r.line("/sys/class/dmi/id/sys_vendor"); vendor == "Microsoft Corporation" {
				return "microsoft"
			}
		}
		for _, maker := range makers {
			if strings.HasPrefix(text, maker[0]) {
				return maker[1]
			}
		}
	}
	return ""
}
