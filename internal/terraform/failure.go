package terraform

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"time"

	"github.com/capnt/capnt/internal/text"
)

// panicLine matches the line in a provider's stack trace that contains the reason of the crash.
var panicLine = regexp.MustCompile(`(?m)panic: .*$`)

// failure returns an *Error for a failed command. err is the error of terraform-exec. The details come from the error output of the
// process.
func (r *Run) failure(ctx context.Context, verb string, begin time.Time, err error) *Error {
	// Secrets are replaced before the output is shortened, because the scrubber does not recognize every part of a secret.
	plain := shortened(r.scrub.text(plainText(r.stderr.String() + r.crashTrace(ctx))))
	diagnostics := parseDiagnostics(plain)
	for i := range diagnostics {
		// Secrets are replaced again, because the scrubber recognizes a secret that was wrapped only after its lines were joined.
		diagnostics[i].text = r.scrub.text(diagnostics[i].text)
	}
	failure := &Error{Verb: verb}
	switch {
	case ctx.Err() != nil:
		failure.cause = context.Cause(ctx)
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
		// If the disk is full, Terraform writes an empty plan file and reports success. Then the next command cannot read the plan file.
		failure.Class = LocalDisk
	}
	if failure.Class == LockHeld {
		failure.Lock = parseLock(plain, begin)
	}
	explanation := collapse(message(failure, diagnostics, plain, err))
	if failure.Source == SourceProvider && failure.Class != ProviderPanic && failure.Class != LockHeld && r.options.Responses != nil {
		explanation, failure.Class = explained(explanation, failure.Class, r.options.Responses())
	}
	failure.Message = text.Shorten(r.scrub.text(explanation), messageLimit)
	return failure
}

// crashTime limits how long a provider that no longer responds may take to end.
const crashTime = 5 * time.Second

// crashTrace returns the stack trace of the provider if it has crashed, or an empty string.
func (r *Run) crashTrace(ctx context.Context) string {
	if r.provider == nil {
		return ""
	}
	if crash.MatchString(r.stderr.String()) {
		ctx, cancel := context.WithTimeout(ctx, crashTime)
		defer cancel()
		select {
		case <-r.provider.ended:
		case <-ctx.Done():
		}
	}
	return r.provider.stderr.trace()
}

// classifyProcess returns the source and the class of a failed command whose output contains no diagnostic. Such a command could not be
// started, was killed, or printed something else.
func classifyProcess(err error, plain string) (Source, Class) {
	var exit *exec.ExitError
	switch {
	case diskFull(err):
		return SourceTerraform, LocalDisk
	case errors.As(err, &exit) && !exit.Exited():
		// Another process has killed the command, for example because the host has run out of memory.
		return SourceTerraform, Transient
	}
	output := collapse(plain + "\n" + err.Error())
	return diagnostic{summary: output, text: output}.classify()
}

// message returns the message for an error. The message may still contain secrets, which the caller must replace.
func message(failure *Error, diagnostics []diagnostic, plain string, err error) string {
	switch {
	case failure.cause != nil:
		interruption := "interrupted: " + failure.cause.Error()
		if len(diagnostics) > 0 {
			interruption += ": " + diagnostics[0].text
		}
		return interruption
	case failure.Lock != nil:
		return failure.Lock.message()
	case failure.Class == LockHeld:
		return "the state is locked, and its backend does not report the holder"
	case len(diagnostics) == 0:
		return processMessage(err, plain)
	}
	first := diagnostics[0].text
	if crash := panicLine.FindString(plain); failure.Class == ProviderPanic && crash != "" {
		first = crash + ": " + first
	}
	if len(diagnostics) == 1 {
		return first
	}
	others := fmt.Sprintf(" (and %d more)", len(diagnostics)-1)
	return text.Shorten(first, messageLimit-len(others)) + others
}

// processMessage returns the message for a command whose output contains no diagnostic. The message contains the output or, if there is
// none, the exit status.
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

// interrupted returns the failure of a command that succeeded, but whose output was lost because the context ended at the same time.
func interrupted(ctx context.Context, verb string) *Error {
	failure := &Error{Verb: verb, Source: SourceTerraform, Class: Canceled, cause: context.Cause(ctx), Message: "interrupted before its output was read"}
	if errors.Is(failure.cause, context.DeadlineExceeded) {
		failure.Class = Timeout
	}
	return failure
}
