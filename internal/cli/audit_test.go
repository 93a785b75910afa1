package cli

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	clocktesting "k8s.io/utils/clock/testing"

	"github.com/capnt/capnt/internal/audit"
)

// writeAudit writes an audit log of three records, with its head in the cluster of the program.
func writeAudit(t *testing.T, program *program) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "audit.log")
	log, err := audit.New(audit.Options{Client: program, Reader: program, Namespace: "capnt-system", Path: path,
		Term: func() string { return "lease/1/a" }, Clock: clocktesting.NewFakePassiveClock(now)})
	require.NoError(t, err)
	for _, kind := range []audit.Kind{audit.Plan, audit.Decision, audit.Apply} {
		require.NoError(t, log.Append(t.Context(), audit.Record{Kind: kind, Plan: "prod/" + driftPlan, ChangeDigest: digest("9f2c1a"),
			Target: audit.Target{Kind: "NutanixMachine", Namespace: namespace, Name: "prod-md-0-9d8v2", Key: "key"}}))
	}
	return path
}

func TestAuditVerify(t *testing.T) {
	program := newProgram(t)
	path := writeAudit(t, program)
	assert.Equal(t, 0, program.run(t, "audit", "verify", path), program.err.String())
	assert.Regexp(t, `^ok: 3 records from 2026-12-01 to 2026-12-01, head sha256:[0-9a-f]{12} matches the cluster\n$`, program.out.String())
	assert.Equal(t, 0, program.run(t, "audit", "verify", "--offline", path, path))
	assert.Contains(t, program.out.String(), "not compared with the cluster (--offline)\nAlso found: 3 exact copies of other records.")
}

func TestAuditVerify_OfChangedLog(t *testing.T) {
	program := newProgram(t)
	path := writeAudit(t, program)
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	lines := bytes.SplitAfter(content, []byte("\n"))
	tests := map[string]struct {
		content []byte
		message string
	}{
		"altered": {bytes.Replace(content, []byte("prod-md-0"), []byte("prod-md-1"), 1), "record 1 (2026-12-01T09:15:00Z, plan on prod/prod-md-1-9d8v2-9f2c1a-77ab) was altered"},
		"dropped": {append(bytes.Clone(lines[0]), lines[2]...), "record 2 was dropped"},
		"control characters": {bytes.Replace(content, []byte("prod-md-0"), []byte(`\u001b[2K\rok`), 1),
			"record 1 (2026-12-01T09:15:00Z, plan on prod/\uFFFD[2K\uFFFDok-9d8v2-9f2c1a-77ab) was altered"},
		"cut at the end": {append(bytes.Clone(lines[0]), lines[1]...), "record 3 was dropped"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "audit.log")
			require.NoError(t, os.WriteFile(path, test.content, 0o600))
			assert.Equal(t, 1, program.run(t, "audit", "verify", path))
			assert.Contains(t, program.out.String(), test.message)
		})
	}
}

func TestAuditVerify_WithoutHeadOrFile(t *testing.T) {
	program := newProgram(t)
	path := writeAudit(t, program)
	assert.Equal(t, 2, program.run(t, "audit", "verify", path, "--manager-namespace", "other"))
	assert.Contains(t, program.err.String(), "set --offline to verify the files alone")
	assert.Equal(t, 2, program.run(t, "audit", "verify", "--offline", path+".missing"))
	assert.Contains(t, program.err.String(), "no such file")
}
