//go:build unix

package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/serin-flags/serin/internal/needs"
)

// webHosts are those of the example of lists.
const webHosts = "v2=web-1,web-2,web-3,web-4,web-5,web-6,web-7"

// TestAnsible releases seven hosts in batches of 1, 2 and 4, first without a problem and
// then with a host of the second batch that fails.
func TestAnsible(t *testing.T) {
	play, list := needs.Command(t, "ansible-playbook"), needs.Command(t, "ansible-inventory")
	dir := t.TempDir()
	inventory, err := exec.Command(command(t), "batches", webHosts, "--doubling", "--ansible").Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string]string{
		"inventory.yaml": string(inventory),
		"deploy.sh":      "#!/bin/sh\necho \"$1 $2\" >> '" + dir + "/log'\n[ \"$2\" != \"$BROKEN\" ]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	ansible := func(program, broken string, args ...string) (string, error) {
		cmd := exec.Command(program, append([]string{"-i", filepath.Join(dir, "inventory.yaml")}, args...)...)
		cmd.Env = append(os.Environ(), "HOME="+dir, "BROKEN="+broken)
		out, err := cmd.CombinedOutput()
		if strings.Contains(string(out), "WARNING") {
			t.Errorf("Ansible warns:\n%s", out)
		}
		return string(out), err
	}
	out, err := ansible(list, "", "--list")
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var groups map[string]struct{ Hosts, Children []string }
	if err := json.Unmarshal([]byte(out), &groups); err != nil {
		t.Fatal(err)
	}
	got := fmt.Sprint(groups["batch_1"].Hosts, groups["batch_2"].Hosts, groups["batch_3"].Hosts,
		len(groups["all"].Children))
	if want := "[web-1] [web-2 web-3] [web-4 web-5 web-6 web-7] 4"; got != want { // "ungrouped" is the fourth
		t.Errorf("Ansible reads the groups %s, not %s", got, want)
	}
	for _, test := range []struct{ broken, want string }{
		{"", "web-1 | web-2 web-3 | web-4 web-5 web-6 web-7"},
		{"web-3", "web-1 | web-2 web-3"},
	} {
		if err := os.WriteFile(filepath.Join(dir, "log"), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := ansible(play, test.broken, "-c", "local", "-e", "deploy="+filepath.Join(dir, "deploy.sh"),
			"ansible/release.yaml")
		if failed := err != nil; failed != (test.broken != "") {
			t.Errorf("%q is broken: %v\n%s", test.broken, err, out)
		}
		if got := batchesOf(t, filepath.Join(dir, "log")); got != test.want {
			t.Errorf("%q is broken: released %s, want %s\n%s", test.broken, got, test.want, out)
		}
	}
}

// batchesOf returns the hosts in a log of releases, with those of a batch sorted, because
// they are released at once.
func batchesOf(t *testing.T, name string) string {
	t.Helper()
	log, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	var hosts, batches []string
	for line := range strings.Lines(string(log)) {
		version, host, _ := strings.Cut(strings.TrimSpace(line), " ")
		if version != "v2" {
			t.Errorf("released %q", line)
		}
		hosts = append(hosts, host)
	}
	for size := 1; len(hosts) > 0; size *= 2 {
		n := min(size, len(hosts))
		slices.Sort(hosts[:n])
		batches = append(batches, strings.Join(hosts[:n], " "))
		hosts = hosts[n:]
	}
	return strings.Join(batches, " | ")
}

// TestFlagOfHosts checks that the lists of the example are what the command writes, and who
// gets the new cache.
func TestFlagOfHosts(t *testing.T) {
	dir := t.TempDir()
	if out, err := exec.Command(command(t), "batches", webHosts, "--doubling", "--lists",
		dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	written, example := lists(t, dir), lists(t, "ansible/flags/web")
	if diff := cmp.Diff(written, example); diff != "" || len(example) != 3 {
		t.Errorf("lists (-written +example):\n%s", diff)
	}
	if out, err := exec.Command(command(t), "check", "--strict", "ansible/flags").CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	got := make(map[string]string)
	for i := 1; i <= 7; i++ {
		host := fmt.Sprint("web-", i)
		out, err := exec.Command(command(t), "eval", "new-cache", "--from", "ansible/flags", "-c",
			"host="+host).Output()
		if err != nil {
			t.Fatal(err)
		}
		got[host] = strings.TrimSpace(string(out))
	}
	want := map[string]string{"web-1": "true", "web-2": "true", "web-3": "true"}
	for i := 4; i <= 7; i++ {
		want[fmt.Sprint("web-", i)] = "false"
	}
	if !maps.Equal(got, want) {
		t.Errorf("the new cache: %v, want %v", got, want)
	}
}

// lists returns the lists in a folder.
func lists(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, name := range names {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		all[filepath.Base(name)] = string(data)
	}
	return all
}
