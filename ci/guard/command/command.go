// Package command runs the commands of guards, such as smoke tests. They are programs from the
// repository, so they get neither the signing key nor credentials: of the environment, only
// the variables of a short list are passed on. What they print is bounded and masked.
package command

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/serin-flags/serin/ci/guard"
)

const (
	// maxOutput is how many bytes of the output are kept: the end, where errors are.
	maxOutput = 4 << 10
	// grace is how long a process may take to end after its group was killed, and how long
	// processes that it left behind may keep its output open.
	grace = 2 * time.Second
)

// passed are the variables that commands get. None of them is a secret. HOME isn't among them,
// because programs find credentials in it, and neither are proxies, whose URLs may have some.
var passed = []string{
	"PATH", "USER", "LANG", "LC_ALL", "TZ", "TMPDIR", "TERM", "CI", "SSL_CERT_FILE", "SSL_CERT_DIR",
	"SystemRoot", "TEMP", "TMP", "PATHEXT", "COMSPEC",
}

// A Runner runs commands in the folder of this process. It implements [guard.Runner] and is safe for concurrent use.
type Runner struct {
	// Secrets are texts that are masked in the output, besides the values of variables of this
	// process that are called keys, tokens, secrets, passwords or credentials.
	Secrets []string
}

var _ guard.Runner = (*Runner)(nil)

// Run implements [guard.Runner]. When the time is over or ctx ends, it kills the command and
// all processes of its group.
func (r *Runner) Run(ctx context.Context, c guard.Command) (guard.Outcome, error) {
	if len(c.Run) == 0 || c.Run[0] == "" {
		return guard.Outcome{}, errors.New("running a command: there is none")
	}
	ctx, cancel := context.WithTimeout(ctx, c.Timeout)
	defer cancel()
	var output tail
	command := exec.CommandContext(ctx, c.Run[0], c.Run[1:]...)
	command.Env = append(environment(), c.Env...)
	command.Stdout, command.Stderr = &output, &output
	command.WaitDelay = grace
	group(command)
	err := command.Run()
	killGroup(command)
	out := guard.Outcome{Output: r.mask(&output)}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return out, fmt.Errorf("running %s: %w: it was killed after %v", c.Run[0], guard.ErrSlow, c.Timeout)
	case err == nil:
		return out, nil
	case errors.Is(err, exec.ErrWaitDelay):
		return out, fmt.Errorf("running %s: it left a process behind that keeps its output open", c.Run[0])
	case errors.As(err, &exit) && exit.Exited():
		out.Status = exit.ExitCode()
		return out, nil
	}
	out.Status = -1
	return out, fmt.Errorf("running %s: %w", c.Run[0], reason(err))
}

// reason returns an error without the path that it repeats.
func reason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	var name *exec.Error
	if errors.As(err, &name) {
		return name.Err
	}
	return err
}

// environment returns the variables that commands get.
func environment() (list []string) {
	for _, name := range passed {
		if value, ok := os.LookupEnv(name); ok {
			list = append(list, name+"="+value)
		}
	}
	return list
}

// leastSecret is the length in bytes of the shortest text that is masked: masking shorter ones
// would garble the output and tell what they are.
const leastSecret = 4

// leastHidden is the same for variables whose names only sound like secrets.
const leastHidden = 8

// mask returns the end of an output, without secrets.
func (r *Runner) mask(output *tail) string {
	secrets := slices.Concat(r.Secrets, hidden())
	secrets = slices.DeleteFunc(secrets, func(s string) bool { return len(s) < leastSecret })
	// A secret may contain another one.
	slices.SortFunc(secrets, func(a, b string) int { return len(b) - len(a) })
	text := output.kept.String()
	if output.cut {
		text = text[within(text, secrets):]
	}
	for _, s := range secrets {
		text = strings.ReplaceAll(text, s, "(hidden)")
	}
	if len(text) > maxOutput {
		text = text[len(text)-maxOutput:]
	}
	return strings.ToValidUTF8(text, "�")
}

// hidden returns the values of variables of this process that sound like secrets, and each of
// their words. Commands don't get them, but a command can look for them in its parent.
func hidden() (list []string) {
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		name = strings.ToUpper(name)
		for _, word := range []string{"KEY", "TOKEN", "SECRET", "PASSWORD", "PASSPHRASE", "CREDENTIAL"} {
			if strings.Contains(name, word) {
				list = append(append(list, value), strings.Fields(value)...)
				break
			}
		}
	}
	return slices.DeleteFunc(list, func(s string) bool { return len(s) < leastHidden })
}

// within returns how many bytes at the beginning of a text are the end of a secret.
func within(text string, secrets []string) (n int) {
	for _, s := range secrets {
		for i := 1; i < len(s) && len(s)-i > n; i++ {
			if strings.HasPrefix(text, s[i:]) {
				n = len(s) - i
			}
		}
	}
	return n
}

// A tail keeps the end of what is written to it: twice of what is shown, since masking may
// shorten it.
type tail struct {
	kept bytes.Buffer
	cut  bool
}

// Write implements [io.Writer]. It never fails.
func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if len(p) > 2*maxOutput {
		p, t.cut = p[len(p)-2*maxOutput:], true
	}
	t.kept.Write(p)
	if over := t.kept.Len() - 2*maxOutput; over > 0 {
		t.kept.Next(over)
		t.cut = true
	}
	return n, nil
}
