package terraform

import (
	"context"
	"strings"

	tfjson "github.com/hashicorp/terraform-json"
)

// Validate checks the workspace's configuration. An invalid one is an *Error of class Invalid that lists the errors.
func (r *Run) Validate(ctx context.Context) error {
	var result *tfjson.ValidateOutput
	err := r.command(ctx, "validate", func(ctx context.Context) (err error) {
		result, err = r.cli.Validate(ctx)
		return err
	})
	if err != nil {
		return err
	}
	if result == nil {
		return interrupted(ctx, "validate")
	}
	if result.Valid {
		return nil
	}
	return &Error{Verb: "validate", Class: Invalid, Message: r.scrub.text(diagnosticsText(result.Diagnostics))}
}

// diagnosticsText lists errors on one line each.
func diagnosticsText(diagnostics []tfjson.Diagnostic) string {
	var lines []string
	for _, diagnostic := range diagnostics {
		if diagnostic.Severity == tfjson.DiagnosticSeverityError {
			lines = append(lines, collapse(diagnostic.Summary+": "+diagnostic.Detail))
		}
	}
	if len(lines) == 0 {
		return "the configuration is not valid and no error says why"
	}
	return strings.Join(lines, "; ")
}
