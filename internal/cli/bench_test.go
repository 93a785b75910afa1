package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// BenchmarkManyPlans measures the commands while 200 plans of one rollout wait. Each command should take less than a second.
func BenchmarkManyPlans(b *testing.B) {
	plans := rollout(b, 200)
	objects := make([]client.Object, len(plans))
	for i := range plans {
		objects[i] = &plans[i]
	}
	program := newProgram(b, objects...)
	for name, test := range map[string]struct {
		args []string
		code int
	}{
		"list":    {[]string{"plan", "list"}, exitWaits},
		"show":    {[]string{"plan", "show", plans[0].Name}, exitWaits},
		"approve": {[]string{"plan", "approve", "--class", rolloutClass, "--reason", "CHG-4711", "--yes", "--dry-run=server"}, exitNothing},
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				require.Equal(b, test.code, program.run(b, test.args...), program.err.String())
			}
		})
	}
}
