package collector

import (
	"os"
	"path/filepath"
	"testing"
)

// tree writes files below a new folder.
func tree(t *testing.T, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestVirtualization(t *testing.T) {
	const (
		environ  = "proc/1/environ"
		cpu      = "proc/cpuinfo"
		flagged  = "processor\t: 0\nflags\t\t: fpu hypervisor sse2\n"
		bare     = "processor\t: 0\nflags\t\t: fpu sse2\n"
		vendor   = "sys/class/dmi/id/sys_vendor"
		product  = "sys/class/dmi/id/product_name"
		clocks   = "sys/devices/system/clocksource/clocksource0/available_clocksource"
		xen      = "sys/hypervisor/type"
		treeFile = "sys/firmware/devicetree/base/hypervisor/compatible"
	)
	type files = map[string]string
	for _, test := range []struct {
		name  string
		files files
		want  string
	}{
		{"nothing known", files{}, "none"},
		{"bare metal", files{cpu: bare, vendor: "Dell Inc.\n", product: "PowerEdge\n", clocks: "tsc hpet acpi_pm\n"}, "none"},

		{"nspawn tells systemd", files{"run/systemd/container": "systemd-nspawn\n"}, "systemd-nspawn"},
		{"lxc tells PID 1", files{environ: "PATH=/bin\x00container=lxc\x00TERM=x\x00"}, "lxc"},
		{"podman tells PID 1", files{environ: "container=podman\x00"}, "podman"},
		{"podman's mark", files{"run/.containerenv": ""}, "podman"},
		{"docker's mark", files{".dockerenv": ""}, "docker"},
		{"a builder that says oci, in docker", files{environ: "container=oci\x00", ".dockerenv": ""}, "docker"},
		{"a manager nobody knows", files{environ: "container=<b>new</b>\x00"}, "container-other"},
		{"a variable that only ends so", files{environ: "mycontainer=lxc\x00"}, "none"},
		{"WSL 1", files{"proc/sys/kernel/osrelease": "4.4.0-19041-Microsoft\n"}, "wsl"},
		{"WSL 2, whose hypervisor shows", files{"proc/sys/kernel/osrelease": "5.15.146.1-microsoft-standard-WSL2\n", cpu: flagged}, "wsl"},
		{"docker on WSL", files{"proc/sys/kernel/osrelease": "5.15.146.1-microsoft-standard-WSL2\n", ".dockerenv": ""}, "docker"},
		{"a container wins over the machine below", files{".dockerenv": "", cpu: flagged, vendor: "VMware, Inc.\n"}, "docker"},

		{"KVM under QEMU's firmware", files{cpu: flagged, vendor: "QEMU\n", clocks: "kvm-clock tsc\n"}, "kvm"},
		{"KVM without firmware", files{cpu: flagged, clocks: "tsc kvm-clock \n"}, "kvm"},
		{"QEMU that emulates", files{cpu: flagged, vendor: "QEMU\n", clocks: "tsc\n"}, "qemu"},
		{"KVM on ARM", files{treeFile: "linux,kvm\x00"}, "kvm"},
		{"VMware", files{cpu: flagged, vendor: "VMware, Inc.\n", product: "VMware20,1\n"}, "vmware"},
		{"VirtualBox", files{cpu: flagged, vendor: "innotek GmbH\n", product: "VirtualBox\n", clocks: "kvm-clock tsc\n"}, "oracle"},
		{"Hyper-V", files{cpu: flagged, vendor: "Microsoft Corporation\n", product: "Virtual Machine\n"}, "microsoft"},
		{"Microsoft's own hardware", files{cpu: bare, vendor: "Microsoft Corporation\n", product: "Surface Pro\n"}, "none"},
		{"Xen guest", files{cpu: flagged, xen: "xen\n"}, "xen"},
		{"Xen's own machine", files{cpu: flagged, xen: "xen\n", "proc/xen/capabilities": "control_d\n"}, "none"},
		{"Amazon", files{cpu: flagged, vendor: "Amazon EC2\n", product: "t3.micro\n", clocks: "kvm-clock tsc\n"}, "amazon"},
		{"Amazon's bare metal", files{cpu: bare, vendor: "Amazon EC2\n", product: "c5.metal\n"}, "none"},
		{"a hypervisor nobody knows", files{cpu: flagged}, "vm-other"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := NewHostReader(HostConfig{Root: tree(t, test.files)}).virtualization()
			if got != test.want || err != nil {
				t.Errorf("got %q, %v; want %q", got, err, test.want)
			}
		})
	}
}

// TestVirtualizationHidden: without root's rights PID 1's environment cannot be read; where systemd runs, it would have
// told of a container.
func TestVirtualizationHidden(t *testing.T) {
	for _, test := range []struct {
		name  string
		files map[string]string
		want  string
		err   string
	}{
		{"nobody else can tell", map[string]string{}, "", "/proc/1/environ: permission denied"},
		{"systemd would have told", map[string]string{"run/systemd/system/x": ""}, "none", ""},
		{"a virtual machine at least", map[string]string{"sys/class/dmi/id/sys_vendor": "QEMU\n"}, "qemu", ""},
		{"a mark that anybody sees", map[string]string{".dockerenv": ""}, "docker", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.files["proc/1/environ"] = "container=lxc\x00"
			root := tree(t, test.files)
			if err := os.Chmod(filepath.Join(root, "proc/1/environ"), 0); err != nil {
				t.Fatal(err)
			}
			if err := os.Chmod(filepath.Dir(root), 0o755); err != nil {
				t.Fatal(err)
			}
			asNobody(t)
			got, err := NewHostReader(HostConfig{Root: root}).virtualization()
			if got != test.want || (err != nil) != (test.err != "") || err != nil && err.Error() != test.err {
				t.Errorf("got %q, %v; want %q, %q", got, err, test.want, test.err)
			}
		})
	}
}
