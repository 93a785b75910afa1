package installation

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/audit"
)

// auditLogName is the name of the audit log in the directory of a stack.
const auditLogName = "audit.log"

// auditLog returns the path of the audit log of the manager of the first installation.
func auditLog() string { return filepath.Join(testStack.Options().Dir, auditLogName) }

// secondAuditLog returns the path of the audit log of the second replica of the manager. Only one test runs a second replica.
func secondAuditLog() string { return filepath.Join(testStack.Options().Dir, "audit-second.log") }

// auditLogs returns the paths of the existing audit logs.
func auditLogs() []string {
	return slices.DeleteFunc([]string{auditLog(), secondAuditLog()}, func(path string) bool {
		_, err := os.Stat(path)
		return err != nil
	})
}

// auditRecords returns the records in audit logs. It ignores an incomplete record at the end of a file.
func auditRecords(t *testing.T, paths ...string) []audit.Record {
	t.Helper()
	var records []audit.Record
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		for line := range bytes.Lines(content[:bytes.LastIndexByte(content, '\n')+1]) {
			var record audit.Record
			require.NoError(t, json.Unmarshal(line, &record), string(line))
			records = append(records, record)
		}
	}
	return records
}

// auditOf returns the records of one kind about a plan in audit logs.
func auditOf(t *testing.T, kind audit.Kind, plan infrav1.NutanixPlan, paths ...string) []audit.Record {
	t.Helper()
	return slices.DeleteFunc(auditRecords(t, paths...), func(record audit.Record) bool {
		return record.Kind != kind || record.Plan != plan.Namespace+"/"+plan.Name
	})
}

// verifyAudit runs capnt audit verify for audit logs and returns its output and exit code.
func verifyAudit(t *testing.T, paths ...string) (output string, code int) {
	t.Helper()
	args := []string{"audit", "verify", "--kubeconfig", testStack.Env.Kubeconfig(), "--manager-namespace", managerNamespace}
	command := exec.CommandContext(t.Context(), testStack.Tool("bin/capnt"), append(args, paths...)...)
	combined, _ := command.CombinedOutput()
	require.NotNil(t, command.ProcessState, "capnt did not start")
	return string(combined), command.ProcessState.ExitCode()
}

// requireAuditVerified requires that the audit logs together contain an unbroken chain that ends with the head in the cluster. It returns the
// output of capnt audit verify.
func requireAuditVerified(t *testing.T) string {
	t.Helper()
	output, code := verifyAudit(t, auditLogs()...)
	require.Zero(t, code, output)
	require.Contains(t, output, "matches the cluster")
	return output
}
