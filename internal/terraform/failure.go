package terraform

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// panicLine is the reason of a crash in a provider's stack trace.
var panicLine = regexp.MustCompile(`(?m)panic: .*$`)

// failure turns the error of terraform-exec and the error output of the process into an *Error.
func (r *Run) failure(ctx context.Context, verb string, begin time.Time, err error) *Error {
	// Before anything is cut off: half a secret is not recognised.
	plain := shortened(r.scrub.text(plainText(r.stderr.String())))
	blocks := errorBlocks(plain)
	for i := range blocks {
		// Again: a secret that was wrapped shows itself on one line only.
		blocks[i] = r.scrub.text(blocks[i])
	}
	failure := &Error{Verb: verb}
	switch {
	case ctx.Err() != nil:
		failure.cause = ctx.Err()
		failure.Class = Canceled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			failure.Class = Timeout
		}
	case len(blocks) > 0:
		failure.Class = classify(strings.Join(append(blocks, panicLine.FindAllString(plain, 1)...), "\n"))
	default:
		failure.Class = classifyProcess(err, plain)
	}
	if failure.Class == LockHeld {
		failure.Lock = parseLock(plain, begin)
	}
	failure.Message = bounded(r.scrub.text(collapse(message(failure, blocks, plain, err))))
	return failure
}

// classifyProcess judges a command that reported no error of its own: it could not be started, was killed or printed
// something else.
func classifyProcess(err error, plain string) Class {
	var exit *exec.ExitError
	if errors.As(err, &exit) && !exit.Exited() {
		// Killed by a signal that we did not send: the machine ran out of memory, or a person did it.
		return Transient
	}
	return classify(plain + "\n" + err.Error())
}

// message makes the text for people, still with secrets.
func message(failure *Error, blocks []string, plain string, err error) string {
	switch {
	case failure.cause != nil:
		text := "interrupted: " + failure.cause.Error()
		if len(blocks) > 0 {
			text += ": " + blocks[0]
		}
		return text
	case failure.Lock != nil:
		return failure.Lock.message()
	case failure.Class == LockHeld:
		return "the state is locked, and its backend does not tell by whom"
	case len(blocks) == 0:
		return processMessage(err, plain)
	}
	text := blocks[0]
	if crash := panicLine.FindString(plain); failure.Class == ProviderPanic && crash != "" {
		text = crash + ": " + text
	}
	if more := len(blocks) - 1; more > 0 {
		text = bounded(text) + fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// processMessage describes a command without a diagnostic: its output if there is any, else how it ended.
func processMessage(err error, plain string) string {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return err.Error()
	}
	if output := collapse(plain); output != "" {
		return exit.Error() + ": " + output
	}
	return exit.Error()
}

// interrupted is the failure of a command that ended well but whose answer was lost because the context ended at that
// moment.
func interrupted(ctx context.Context, verb string) *Error {
	failure := &Error{Verb: verb, Class: Canceled, cause: ctx.Err(), Message: "interrupted before its answer was read"}
	if errors.Is(failure.cause, context.DeadlineExceeded) {
		failure.Class = Timeout
	}
	return failure
}
