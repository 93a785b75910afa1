package prismsim

import (
	"fmt"
	"strings"
)

// netFailure is why an operation of the networking API failed. Its message reads "Failed to <operation> <clause> - <detail>".
type netFailure struct{ code, clause, detail string }

// netErrorGroup is the error group of every failed networking task on record.
const netErrorGroup = "BACKEND_SERVICE_ERROR"

// Codes and clauses of failures. The first two are those of recorded answers (runs of nutanix.ansible, pull requests 1153,
// 1206 and 1209). For the others no record was found: their codes are far from the known ones, so that nobody takes
// them for real, and a client does well to look at the words.
const (
	codeNetNotFound  = "NETWORKING-10060"
	codeNetInUse     = "NETWORKING-10068"
	codeNetInvalid   = "NETWORKING-19001"
	codeNetConflict  = "NETWORKING-19002"
	codeNetExhausted = "NETWORKING-19003"
	codeNetStale     = "NETWORKING-19004" // of an If-Match that does not match; likewise
)

func netNotFound(format string, args ...any) *netFailure {
	return &netFailure{codeNetNotFound, "as a referenced resource was not found", fmt.Sprintf(format, args...)}
}

func netInUse(format string, args ...any) *netFailure {
	return &netFailure{codeNetInUse, "as the referenced resource is still in use", fmt.Sprintf(format, args...)}
}

func netInvalid(format string, args ...any) *netFailure {
	return &netFailure{codeNetInvalid, "due to an invalid argument", fmt.Sprintf(format, args...)}
}

func netConflict(format string, args ...any) *netFailure {
	return &netFailure{codeNetConflict, "as it conflicts with an existing resource", fmt.Sprintf(format, args...)}
}

func netExhausted(format string, args ...any) *netFailure {
	return &netFailure{codeNetExhausted, "as a limit is reached", fmt.Sprintf(format, args...)}
}

// netLimit fails when one more of something exceeds its limit.
func netLimit(what string, have, more, limit int) *netFailure {
	if limit == 0 || have+more <= limit {
		return nil
	}
	return netExhausted("The maximum number of %s (%d) is reached: the quota is exceeded", what, limit)
}

func (f *netFailure) message(operation string) string {
	return fmt.Sprintf("Failed to %s %s - %s", operation, f.clause, f.detail)
}

// inTask is the failure as the task of an operation reports it.
func (f *netFailure) inTask(operation string) *v4Error {
	return &v4Error{
		code: f.code, group: netErrorGroup, message: f.message(operation),
		arguments: map[string]string{"operation": operation, "errorMessage": f.detail},
	}
}

// compact gives the words of a kind without blanks, as operations have them.
func (k netKind) compact() string { return strings.ReplaceAll(k.word, " ", "") }
