package terraform

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"strings"
)

// Test runs `terraform test` on the workspace: the files tests/*.tftest.hcl. A failed test is an *Error that lists the
// failures.
func (r *Run) Test(ctx context.Context) error {
	var output bytes.Buffer
	err := r.command(ctx, "test", func(ctx context.Context) error {
		// terraform-exec leaves the writer set.
		defer r.cli.SetStdout(nil)
		return r.cli.Test(ctx, &output)
	})
	if err == nil {
		return nil
	}
	failures := testFailures(output.Bytes())
	if failures == "" {
		return err
	}
	return &Error{Verb: "test", Class: Invalid, Message: r.scrub.text(failures)}
}

// testFailures reads the errors from the JSON lines that `terraform test -json` prints.
func testFailures(output []byte) string {
	var lines []string
	scanner := bufio.NewScanner(bytes.NewReader(output))
	scanner.Buffer(nil, 1<<20)
	for scanner.Scan() {
		var line struct {
			Level      string `json:"@level"`
			Run        string `json:"@testrun"`
			Diagnostic struct {
				Summary string `json:"summary"`
				Detail  string `json:"detail"`
			} `json:"diagnostic"`
		}
		if json.Unmarshal(scanner.Bytes(), &line) != nil || line.Level != "error" || line.Diagnostic.Summary == "" {
			continue
		}
		lines = append(lines, collapse(line.Run+": "+line.Diagnostic.Summary+": "+line.Diagnostic.Detail))
	}
	return strings.Join(lines, "; ")
}
