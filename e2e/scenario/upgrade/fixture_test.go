package upgrade

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
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

// patience bounds a test, for machines that are slow.
const patience = 25 * time.Minute

// fixture is a stack that was started from the snapshot of a release, with the present manager.
type fixture struct {
	t           *testing.T
	ctx         context.Context //nolint:containedctx // the life of the test
	stack       *stack.Stack
	snapshot    *snapshot.Snapshot
	diagnostics string
}

// start restores the snapshot of a release in a management cluster with the release's CRDs, upgrades to the present provider
// and starts its manager. Extra flags are added to the manager's.
func start(t *testing.T, release string, flags ...string) *fixture {
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

	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	f := &fixture{t: t, ctx: ctx, snapshot: saved, diagnostics: fmt.Sprintf("127.0.0.1:%d", ports[0])}
	repository := filepath.Dir(toolbox.Dir())
	began := time.Now()
	f.stack, err = stack.Start(context.WithoutCancel(t.Context()), stack.Options{
		Dir: dir, Repository: repository, Network: network, Inventory: inventory, Provider: saved.Provider(),
		Credentials: stack.Credentials{Username: "admin", Password: "your-password"}, Latency: stack.Latencies(time.Second),
		ManagerArgs: append([]string{"--health-check-interval=5s", "--drift-interval=20s",
			"--insecure-diagnostics", "--diagnostics-address=" + f.diagnostics}, flags...),
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

// close stops everything, after it has shown what is known when the test failed.
func (f *fixture) close() {
	if f.t.Failed() {
		var explanation bytes.Buffer
		if err := f.stack.Explain(context.Background(), &explanation); err != nil {
			f.t.Logf("explaining: %v", err)
		}
		f.t.Log(explanation.String())
	}
	require.NoError(f.t, f.stack.Close())
}

// commands returns how often the manager has run a Terraform command, such as plan, with success.
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
