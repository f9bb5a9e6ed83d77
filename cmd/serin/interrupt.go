package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/spf13/cobra"
)

// An interruption is why a command ends early: a signal.
type interruption struct{ signal os.Signal }

func (i *interruption) Error() string {
	if i.signal == os.Interrupt {
		return "interrupted"
	}
	return fmt.Sprintf("stopped by a signal (%v)", i.signal)
}

// notifyContext returns a context that ends with an [interruption] at the first signal
// that asks the process to end. The second one does what it does to any program.
func notifyContext(parent context.Context) (ctx context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	go func() {
		select {
		case s := <-signals:
			signal.Stop(signals)
			cancel(&interruption{s})
		case <-ctx.Done():
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		cancel(nil)
	}
}

// terminated reports whether ctx ended by SIGTERM, which service managers send, and not
// by an interrupt from a terminal.
func terminated(ctx context.Context) bool {
	var i *interruption
	return errors.As(context.Cause(ctx), &i) && i.signal == syscall.SIGTERM
}

// patience is how long a command may take to end by itself once it is interrupted.
const patience = 500 * time.Millisecond

// interruptible returns what f does. If ctx ends, and f doesn't within patience, it
// leaves f behind and returns why ctx ended: a read from a pipe, or from a file system
// that hangs, can't be interrupted.
func interruptible(ctx context.Context, f func() error) error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
	}
	select {
	case err := <-done:
		return err
	case <-time.After(patience):
		return context.Cause(ctx)
	}
}

// makeInterruptible has cmd and the commands below it end soon after their context does.
// Those that serve are left out: they have requests to answer.
func makeInterruptible(cmd *cobra.Command) {
	for _, sub := range cmd.Commands() {
		makeInterruptible(sub)
	}
	if f := cmd.RunE; f != nil && cmd.Annotations[serves] == "" {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			return interruptible(cmd.Context(), func() error { return f(cmd, args) })
		}
	}
}

// serves annotates commands that answer requests until they are interrupted.
const serves = "serves"
