package upgrade

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/snapshot"
	"github.com/capnt/capnt/e2e/stack"
	"github.com/capnt/capnt/internal/toolbox"
	"github.com/capnt/capnt/internal/toolbox/freeport"
)

// restored is the version of the nutanix provider with which the snapshot was created.
const restored = "1.9.5"

// testTimeout limits a test. The limit is high because the tests may run on a busy machine.
const testTimeout = 25 * time.Minute

// fixture is a stack that contains the restored snapshot of a release and runs the current manager.
type fixture struct {
	t           *testing.T
	ctx         context.Context //nolint:containedctx // the life of the test
	stack       *stack.Stack
	snapshot    *snapshot.Snapshot
	diagnostics string
}

// start starts a management cluster with the CRDs of a release and restores the snapshot of that release. Then it
// upgrades the CRDs and starts the current manager with the newest version of the nutanix provider in the mirror.
func start(t *testing.T, release string) *fixture {
	t.Helper()
	saved, err := snapshot.Read(testdata(release))
	require.NoError(t, err)
	network, err := stack.FreeNetwork()
	require.NoError(t, err)
	inventory, err := saved.Inventory(network)
	require.NoError(t, err)
	ports, err := freeport.Find("127.0.0.1", 1)
	require.NoError(t, err)
	dir, err := os.MkdirTemp("", "capnt-")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })

	ctx, cancel := context.WithTimeout(t.Context(), testTimeout)
	t.Cleanup(cancel)
	f := &fixture{t: t, ctx: ctx, snapshot: saved, diagnostics: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	repository := filepath.Dir(toolbox.Dir())
	began := time.Now()
	f.stack, err = stack.Start(context.WithoutCancel(t.Context()), stack.Options{
		Dir: dir, Repository: repository, Network: network, Inventory: inventory, Provider: saved.Provider(),
		Credentials: stack.Credentials{Username: "admin", Password: "your-password"}, Latency: stack.Latencies(time.Second),
		ManagerArgs: []string{"--health-check-interval=5s", "--drift-interval=20s", "--provider-version=" + newestProvider(t),
			"--insecure-diagnostics", "--diagnostics-address=" + f.diagnostics},
		RenumberedProvider: true, SecondAnswers: true,
		BeforeManager: func(ctx context.Context, s *stack.Stack) error {
			if err := saved.Restore(ctx, s); err != nil {
				return err
			}
			return s.Install(stack.Built(repository))
		},
		Log: funcr.New(func(_, line string) {
			fmt.Printf("%7.1fs  %s\n", time.Since(began).Seconds(), line)
		}, funcr.Options{}),
	})
	require.NoError(t, err)
	t.Cleanup(f.close)
	require.NoError(t, saved.AdmitGuests(ctx, f.stack))
	return f
}

// newestProvider returns the newest version of the nutanix provider in the mirror of the stack. If the mirror contains
// only one binary, the newest version is the renumbered copy of that binary.
func newestProvider(t *testing.T) string {
	t.Helper()
	newest := slices.Max(append(toolbox.ProviderVersions(t), stack.RenumberedVersion()))
	require.NotEqual(t, restored, newest)
	t.Logf("provider %s created the snapshot, and the manager uses %s for new objects", restored, newest)
	return newest
}

// close stops the stack. If the test failed, close first logs the objects and logs of the stack.
func (f *fixture) close() {
	if f.t.Failed() {
		f.t.Log(f.stack.Explanation())
	}
	require.NoError(f.t, f.stack.Close())
}

// commands returns how many Terraform commands with the given verb, for example plan, the manager has run successfully.
func (f *fixture) commands(verb string) int {
	f.t.Helper()
	request, err := http.NewRequestWithContext(f.ctx, http.MethodGet, "http://"+f.diagnostics+"/metrics", nil)
	require.NoError(f.t, err)
	response, err := http.DefaultClient.Do(request)
	require.NoError(f.t, err)
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	require.NoError(f.t, err)
	for _, metric := range families["capnt_terraform_command_duration_seconds"].GetMetric() {
		if label(metric, "verb") == verb && label(metric, "class") == "" {
			return int(metric.GetHistogram().GetSampleCount())
		}
	}
	return 0
}

func label(metric *dto.Metric, name string) string {
	for _, pair := range metric.GetLabel() {
		if pair.GetName() == name {
			return pair.GetValue()
		}
	}
	return ""
}
