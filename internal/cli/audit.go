package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/capnt/capnt/internal/audit"
	"github.com/capnt/capnt/internal/text"
)

// errTampered is the result of a verification that found that the audit log is not what the manager wrote.
var errTampered = fmt.Errorf("the audit log was changed: %w", errWaits)

func (a *app) auditCommand() *cobra.Command {
	return group("audit", "Verify audit logs", a.auditVerifyCommand())
}

func (a *app) auditVerifyCommand() *cobra.Command {
	var offline bool
	var managerNamespace string
	command := &cobra.Command{
		Use:   "verify FILE...",
		Short: "Prove that no record of an audit log was altered, dropped or moved",
		Long: `verify reads the audit logs of all managers, rotated files included, in any order. It proves that they contain an unbroken chain of
records that ends with the head in the cluster, or names the first record that was altered, dropped, moved or inserted.

With --offline the head in the cluster is not read. Then it cannot be proved that no record is missing at the end.
The exit code is 1 if the audit log was changed, and 2 if it cannot be verified.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(command *cobra.Command, args []string) error {
			return a.verifyAudit(command.Context(), args, offline, managerNamespace)
		},
	}
	command.Flags().BoolVar(&offline, "offline", false, "Do not compare the last record with the head in the cluster")
	command.Flags().StringVar(&managerNamespace, "manager-namespace", "capnt-system", "Namespace of the manager, which contains the head")
	return command
}

func (a *app) verifyAudit(ctx context.Context, paths []string, offline bool, managerNamespace string) error {
	var head *audit.Head
	if !offline {
		cluster, err := a.connect()
		if err != nil {
			return err
		}
		if head, err = audit.ReadHead(ctx, cluster, managerNamespace); err != nil {
			return fmt.Errorf("%w: set --offline to verify the files alone", err)
		}
	}
	report, err := audit.VerifyFiles(paths, head)
	var tampered *audit.TamperError
	switch {
	case errors.As(err, &tampered):
		fmt.Fprintln(a.Out, text.Printable(tampered.Error())) // the files contain what somebody else may have written
		return errTampered
	case err != nil:
		return fmt.Errorf("verifying the audit log: %w", err)
	}
	a.writeReport(report)
	return nil
}

// writeReport writes the result of a verification that found no problem.
func (a *app) writeReport(report *audit.Report) {
	numbers := message.NewPrinter(language.English)
	compared := "not compared with the cluster (--offline)"
	if report.HeadVerified {
		compared = "matches the cluster"
	}
	if report.Records == 0 {
		fmt.Fprintln(a.Out, "ok: no records")
	} else {
		fmt.Fprint(a.Out, numbers.Sprintf("ok: %d records from %s to %s, head %s %s\n", report.Records, report.From.UTC().Format(time.DateOnly),
			report.To.UTC().Format(time.DateOnly), report.Head[:min(len(report.Head), 19)], compared))
	}
	if report.FirstSeq > 1 {
		fmt.Fprint(a.Out, numbers.Sprintf("The files begin with record %d: earlier records are not in them.\n", report.FirstSeq))
	}
	for _, note := range []struct {
		count int
		text  string
	}{
		{report.Unacknowledged, "written by a leader that ended before they were acknowledged"},
		{report.Duplicates, "exact copies of other records"},
		{report.OtherLines, "lines that are not records"},
	} {
		if note.count > 0 {
			fmt.Fprint(a.Out, numbers.Sprintf("Also found: %d %s.\n", note.count, note.text))
		}
	}
	for _, place := range report.UnacknowledgedAt {
		fmt.Fprintln(a.Out, "  not acknowledged: "+place)
	}
}
