package terraform

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"time"
)

// panicLine matches the line of a provider's stack trace with the reason of the crash.
var panicLine = regexp.MustCompile(`(?m)panic: .*$`)

// failure converts the error of terraform-exec and the error output of the process to an *Error.
func (r *Run) failure(ctx context.Context, verb string, begin time.Time, err error) *Error {
	// Secrets are removed before the output is shortened, because half a secret is not recognised.
	plain := shortened(r.scrub.text(plainText(r.stderr.String())))
	diagnostics := parseDiagnostics(plain)
	for i := range diagnostics {
		// Secrets are removed again, because a secret that was wrapped is recognised only on one line.
		diagnostics[i].text = r.scrub.text(diagnostics[i].text)
	}
	failure := &Error{Verb: verb}
	switch {
	case ctx.Err() != nil:
		failure.cause = ctx.Err()
		failure.Source, failure.Class = SourceTerraform, Canceled
		if errors.Is(ctx.Err(), context.DeadlineExceeded) {
			failure.Class = Timeout
		}
	case panicLine.MatchString(plain):
		failure.Source, failure.Class = SourceProvider, ProviderPanic
	case len(diagnostics) > 0:
		failure.Source, failure.Class = classify(diagnostics)
	default:
		failure.Source, failure.Class = classifyProcess(err, plain)
	}
	if failure.Source == SourceTerraform && failure.Class == Unknown && r.terraform.diskFull(string(r.dir)) {
		// On a full disk Terraform writes an empty plan file and reports success. The next command cannot read that file.
		failure.Class = LocalDisk
	}
	if failure.Class == LockHeld {
		failure.Lock = parseLock(plain, begin)
	}
	failure.Message = bounded(r.scrub.text(collapse(message(failure, diagnostics, plain, err))))
	return failure
}

// classifyProcess returns source and class of a command without a diagnostic: it could not be started, was killed or printed other
// output.
func classifyProcess(err error, plain string) (Source, Class) {
	var exit *exec.ExitError
	switch {
	case diskFull(err):
		return SourceTerraform, LocalDisk
	case errors.As(err, &exit) && !exit.Exited():
		// Another process killed the command, for example because the machine ran out of memory.
		return SourceTerraform, Transient
	}
	text := collapse(plain + "\n" + err.Error())
	return diagnostic{summary: text, text: text}.classify()
}

// message returns the message of the error. It may still contain secrets.
func message(failure *Error, diagnostics []diagnostic, plain string, err error) string {
	switch {
	case failure.cause != nil:
		text := "interrupted: " + failure.cause.Error()
		if len(diagnostics) > 0 {
			text += ": " + diagnostics[0].text
		}
		return text
	case failure.Lock != nil:
		return failure.Lock.message()
	case failure.Class == LockHeld:
		return "the state is locked, and its backend does not report the holder"
	case len(diagnostics) == 0:
		return processMessage(err, plain)
	}
	text := diagnostics[0].text
	if crash := panicLine.FindString(plain); failure.Class == ProviderPanic && crash != "" {
		text = crash + ": " + text
	}
	if more := len(diagnostics) - 1; more > 0 {
		text = bounded(text) + fmt.Sprintf(" (and %d more)", more)
	}
	return text
}

// processMessage describes a command without a diagnostic by its output or, if there is none, by its exit status.
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

// interrupted returns the failure of a command that succeeded but whose output was lost because the context ended at that moment.
func interrupted(ctx context.Context, verb string) *Error {
	failure := &Error{Verb: verb, Source: SourceTerraform, Class: Canceled, cause: ctx.Err(), Message: "interrupted before its output was read"}
	if errors.Is(failure.cause, context.DeadlineExceeded) {
		failure.Class = Timeout
	}
	return failure
}
