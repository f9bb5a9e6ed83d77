//go:build unix

package deploy

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/serin-flags/serin/internal/needs"
)

// TestContainer builds the image, and runs the command in it: with nothing but the program,
// as a user that isn't root.
func TestContainer(t *testing.T) {
	buildah := needs.Command(t, "buildah")
	dir := t.TempDir()
	program, err := os.ReadFile(command(t))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "serin"), program, 0o755); err != nil {
		t.Fatal(err)
	}
	dockerfile, err := filepath.Abs("container/Dockerfile")
	if err != nil {
		t.Fatal(err)
	}
	run := func(args ...string) string {
		t.Helper()
		cmd := exec.Command(buildah,
			append([]string{"--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"),
				"--storage-driver", "vfs"}, args...)...)
		cmd.Dir = dir
		var stderr strings.Builder
		cmd.Stderr = &stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("buildah %q: %v\n%s", args, err, &stderr)
		}
		return strings.TrimSpace(string(out))
	}
	run("build", "--isolation", "chroot", "-f", dockerfile, "-t", "serin", dir)
	var image struct {
		OCIv1 struct {
			Config struct {
				User       string
				Entrypoint []string
			}
			RootFS struct {
				DiffIDs []string `json:"diff_ids"`
			}
		}
	}
	if err := json.Unmarshal([]byte(run("inspect", "--type", "image", "serin")), &image); err != nil {
		t.Fatal(err)
	}
	config := image.OCIv1.Config
	if config.User != "65532:65532" || len(config.Entrypoint) != 1 || config.Entrypoint[0] != "/serin" ||
		len(image.OCIv1.RootFS.DiffIDs) != 1 {
		t.Errorf("the image is %+v", image.OCIv1)
	}
	container := run("from", "serin")
	t.Cleanup(func() { run("rm", container) })
	if out := run("run", "--isolation", "chroot", container, "--", "/serin", "version"); !strings.HasPrefix(out,
		"serin version ") {
		t.Errorf("in the container: %s", out)
	}
	p := newPublished(t)
	root, err := os.ReadFile(filepath.Join(p.dir, "keys", "root.json"))
	if err == nil {
		err = os.WriteFile(filepath.Join(p.dir, "store", "root.json"), root, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	// The root file system is read-only for its user, to whom nothing in it belongs.
	cmd := exec.Command(buildah, "--root", filepath.Join(dir, "root"), "--runroot", filepath.Join(dir, "run"),
		"--storage-driver", "vfs",
		"run", "--isolation", "chroot", "--volume", p.dir+"/store:/store:ro", container, "--",
		"/serin", "serve", "--from", "file:///store/production", "--root", "/store/root.json", "--listen",
		"127.0.0.1:0")
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	start(t, cmd)
	url, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.Get(strings.TrimSpace(url) + "/route/by-city?city=beijing")
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if got := response.Header.Get("X-Serin-Variant"); got != "beta1" {
		t.Errorf("the variant is %q", got)
	}
}
