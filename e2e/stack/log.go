package stack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
)

// shownLog is the number of bytes at the end of each log that Explain prints.
const shownLog = 12 << 10

// Explain writes all objects and the end of each log, so that a failure can be diagnosed.
func (s *Stack) Explain(ctx context.Context, out io.Writer) error {
	problems := []error{s.Env.Dump(ctx, out)}
	logs := []string{s.Env.ClusterAPILog(), s.Env.ManagerLog()}
	if s.Guests != nil {
		logs = append(logs, s.Guests.ProgramLogs()...)
	}
	for _, path := range logs {
		content, err := os.ReadFile(path)
		if err == nil {
			_, err = fmt.Fprintf(out, "\n%s:\n%s", path, content[max(0, len(content)-shownLog):])
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// Explanation returns the text that Explain writes. If Explain fails, the text ends with the error.
func (s *Stack) Explanation() string {
	var text bytes.Buffer
	if err := s.Explain(context.Background(), &text); err != nil {
		fmt.Fprintf(&text, "\nexplaining: %v", err)
	}
	return text.String()
}
