package installation

import (
	"os/exec"
	"strings"

	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/internal/audit"
)

// capnt runs the command line program in a namespace. It returns the output and the exit code.
func (c *cluster) capnt(namespace string, arguments ...string) (output string, code int) {
	c.t.Helper()
	arguments = append(arguments, "--kubeconfig", testStack.Env.Kubeconfig(), "--namespace", namespace)
	command := exec.CommandContext(c.ctx, testStack.Tool("bin/capnt"), arguments...)
	combined, _ := command.CombinedOutput()
	require.NotNil(c.t, command.ProcessState, "capnt did not start")
	return string(combined), command.ProcessState.ExitCode()
}

// auditedEvents returns the records about the plans of an object of the cluster that have a cause: the kind of each record, and its verdict if
// it has one. A plan that was recorded in two namespaces, because nothing could be created in the first one, counts once.
func (c *cluster) auditedEvents(name, cause string) []string {
	c.t.Helper()
	var events []string
	recorded := map[string]bool{}
	for _, record := range auditRecords(c.t, auditLogs()...) {
		if record.Target.Namespace != c.Namespace || record.Target.Name != name || record.Cause != cause {
			continue
		}
		_, plan, _ := strings.Cut(record.Plan, "/")
		if record.Kind == audit.Plan && recorded[plan] {
			continue
		}
		recorded[plan] = true
		events = append(events, strings.TrimSpace(string(record.Kind)+" "+record.Verdict))
	}
	return events
}
