package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"
)

// isTerminal reports whether w is a terminal that can go back in a line.
func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("TERM") == "dumb" {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// A screen shows what a command is doing, in the last line of a terminal, for as long as
// nothing else is printed there. It is safe for concurrent use.
type screen struct {
	mu      sync.Mutex
	w       io.Writer // nil: there is no terminal, or it shall show nothing
	shown   bool      // there is a line to remove
	midLine bool      // what was printed last has no line break, such as a question
	name    string    // of the command
	stage   string    // what the command is doing
	drawn   time.Time
}

type screenKey struct{}

// screenOf returns the screen of a command.
func screenOf(ctx context.Context) *screen {
	if s, ok := ctx.Value(screenKey{}).(*screen); ok {
		return s
	}
	return new(screen)
}

// A screenWriter prints to the terminal of a screen.
type screenWriter struct {
	*screen
	to io.Writer
}

// writer returns a writer to w that removes the line of the screen first.
func (s *screen) writer(w io.Writer) io.Writer {
	if s.w == nil || !isTerminal(w) {
		return w
	}
	return &screenWriter{s, w}
}

func (w *screenWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.remove()
	if len(p) > 0 {
		w.midLine = p[len(p)-1] != '\n'
	}
	return w.to.Write(p)
}

// show shows a line, in place of the one before.
func (s *screen) show(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draw(line)
}

func (s *screen) draw(line string) {
	if s.w == nil || s.midLine {
		return
	}
	fmt.Fprintf(s.w, "\r\x1b[K%s", line)
	s.shown, s.drawn = true, time.Now()
}

// clear removes the line.
func (s *screen) clear() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove()
}

func (s *screen) remove() {
	if s.shown {
		fmt.Fprint(s.w, "\r\x1b[K")
		s.shown = false
	}
}

// begin says what the command does from now on.
func (s *screen) begin(stage string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stage = stage
}

// follow shows every second what the command is doing and for how long, until stop is
// called. What takes less than a second shows nothing.
func (s *screen) follow(name string) (stop func()) {
	s.name = name
	start := time.Now()
	ticker := time.NewTicker(time.Second)
	ended := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-ended:
				return
			case <-ticker.C:
				s.tick(time.Since(start))
			}
		}
	})
	return func() {
		ticker.Stop()
		close(ended)
		running.Wait()
		s.clear()
	}
}

// tick shows the stage, unless something has been shown within the last second.
func (s *screen) tick(since time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.drawn) < time.Second*9/10 {
		return
	}
	stage := ""
	if s.stage != "" {
		stage = s.stage + ", "
	}
	s.draw(fmt.Sprintf("%s: %s%d s", s.name, stage, int(since.Seconds())))
}

// A colorMode says when output has colors.
type colorMode string

// String, Set and Type make a colorMode the value of a flag.
func (m *colorMode) String() string { return string(*m) }

func (m *colorMode) Set(value string) error {
	switch value {
	case "auto", "always", "never":
		*m = colorMode(value)
		return nil
	}
	return fmt.Errorf("it is auto, always or never")
}

func (m *colorMode) Type() string { return "when" }

// on reports whether what is printed to w has colors.
func (m colorMode) on(w io.Writer) bool {
	switch m {
	case "always":
		return true
	case "never":
		return false
	}
	// The older consoles of Windows print escape sequences as they are.
	old := runtime.GOOS == "windows" && os.Getenv("WT_SESSION") == "" && os.Getenv("TERM") == ""
	return os.Getenv("NO_COLOR") == "" && !old && isTerminal(w)
}
