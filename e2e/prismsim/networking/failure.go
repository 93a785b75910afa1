package networking

import (
	"fmt"
	"strings"

	v4 "github.com/capnt/capnt/e2e/prismsim/v4"
)

// failure is the failure of an operation. The message is "Failed to <operation> <clause> - <detail>".
type failure struct{ code, clause, detail string }

// errorGroup is the error group in all public records of failed networking tasks.
const errorGroup = "BACKEND_SERVICE_ERROR"

// Error codes. The first two appear in public records of nutanix.ansible (pull requests 1153, 1206 and 1209). No record
// of the other codes was found. The invented codes differ widely from the known codes, so that nobody mistakes them for
// real codes.
const (
	codeNotFound  = "NETWORKING-10060"
	codeInUse     = "NETWORKING-10068"
	codeInvalid   = "NETWORKING-19001"
	codeConflict  = "NETWORKING-19002"
	codeExhausted = "NETWORKING-19003"
	codeStale     = "NETWORKING-19004" // stale If-Match header
)

func notFound(format string, args ...any) *failure {
	return &failure{codeNotFound, "as a referenced resource was not found", fmt.Sprintf(format, args...)}
}

func inUse(format string, args ...any) *failure {
	return &failure{codeInUse, "as the referenced resource is still in use", fmt.Sprintf(format, args...)}
}

func invalid(format string, args ...any) *failure {
	return &failure{codeInvalid, "due to an invalid argument", fmt.Sprintf(format, args...)}
}

func conflict(format string, args ...any) *failure {
	return &failure{codeConflict, "as it conflicts with an existing resource", fmt.Sprintf(format, args...)}
}

func exhausted(format string, args ...any) *failure {
	return &failure{codeExhausted, "as a limit is reached", fmt.Sprintf(format, args...)}
}

// limitFailure returns a failure if have plus more exceeds limit.
func limitFailure(what string, have, more, limit int) *failure {
	if limit == 0 || have+more <= limit {
		return nil
	}
	return exhausted("The maximum number of %s (%d) is reached: the quota is exceeded", what, limit)
}

func (f *failure) message(operation string) string {
	return fmt.Sprintf("Failed to %s %s - %s", operation, f.clause, f.detail)
}

// inTask returns the failure as the error of the operation's task.
func (f *failure) inTask(operation string) *v4.Error {
	return &v4.Error{
		Code: f.code, Group: errorGroup, Message: f.message(operation),
		Arguments: map[string]string{"operation": operation, "errorMessage": f.detail},
	}
}

// compact returns the name of a kind without spaces, for use in operation names.
func (k entityKind) compact() string { return strings.ReplaceAll(k.word, " ", "") }
