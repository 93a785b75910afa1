package audit

import (
	"fmt"
	"strings"
	"time"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// Problem says what happened to a record.
type Problem string

const (
	// Altered is a record whose content changed after it was written.
	Altered Problem = "altered"
	// Dropped is a record that is missing although later records are there.
	Dropped Problem = "dropped"
	// Reordered is a record that is at another place of its file than where it was written.
	Reordered Problem = "reordered"
	// Inserted is a record that does not belong to the chain.
	Inserted Problem = "inserted"
)

// TamperError names the first record at which the audit trail is not what the manager wrote.
type TamperError struct {
	Problem Problem
	// Seq is the number of the record. If several records in a row were dropped, Last is the number of the last of them.
	Seq, Last int64
	// Time, Kind and About are what the record says. They are not known of a dropped record. About is "<namespace>/<name>" of the plan or, if
	// there is none, the target or the source of the record.
	Time  time.Time
	Kind  Kind
	About string
	// Found is the digest of the record, and Expected the digest that the record after it or the head contains. They are empty if they
	// are not known.
	Found, Expected string
	// File and Line are where the record is or, of a dropped record, where the record before it is. Line is 0 if there is none.
	File string
	Line int
	// Detail explains the problem if the digests do not.
	Detail string
}

// Error describes the problem in one line.
func (e *TamperError) Error() string {
	var text strings.Builder
	numbers := message.NewPrinter(language.English)
	if e.Last > e.Seq {
		text.WriteString(numbers.Sprintf("records %d to %d were %s", e.Seq, e.Last, e.Problem))
	} else {
		text.WriteString(numbers.Sprintf("record %d%s was %s", e.Seq, e.subject(), e.Problem))
	}
	switch {
	case e.Found != "" && e.Expected != "" && e.Found != e.Expected:
		fmt.Fprintf(&text, ": digest %s, expected %s", short(e.Found), short(e.Expected))
	case e.Expected != "":
		fmt.Fprintf(&text, ": expected digest %s", short(e.Expected))
	}
	if e.Detail != "" {
		text.WriteString(": " + e.Detail)
	}
	if e.Line > 0 {
		place := "in"
		if e.Problem == Dropped {
			place = "after"
		}
		fmt.Fprintf(&text, " (%s line %d of %s)", place, e.Line, e.File)
	}
	return text.String()
}

func (e *TamperError) subject() string {
	if e.Time.IsZero() {
		return ""
	}
	subject := e.Time.UTC().Format(time.RFC3339) + ", " + strings.ToLower(string(e.Kind))
	if e.About != "" {
		subject += " on " + e.About
	}
	return " (" + subject + ")"
}

// short returns the beginning of a digest.
func short(digest string) string {
	const digits = 12
	digest = strings.TrimPrefix(digest, digestPrefix)
	return digest[:min(digits, len(digest))] + "..."
}
