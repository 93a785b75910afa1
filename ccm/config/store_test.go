package config_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-logr/logr/funcr"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/component-base/metrics/legacyregistry"
	"k8s.io/klog/v2"

	"github.com/capnt/capnt/ccm/config"
)

// How long and how often the tests wait for a change of the file.
const (
	deadline = time.Minute
	tick     = 5 * time.Millisecond
)

// volume is a directory that is laid out as the kubelet lays out a ConfigMap: the file is a link into a link that changes.
type volume struct {
	t        *testing.T
	dir      string
	versions int
}

func newVolume(t *testing.T, content string) *volume {
	v := &volume{t: t, dir: t.TempDir()}
	v.write(content)
	require.NoError(t, os.Symlink(filepath.Join("..data", "config"), v.path()))
	return v
}

func (v *volume) path() string { return filepath.Join(v.dir, "config") }

func (v *volume) write(content string) {
	v.t.Helper()
	v.versions++
	data := filepath.Join(v.dir, strings.Repeat("v", v.versions))
	require.NoError(v.t, os.Mkdir(data, 0o700))
	require.NoError(v.t, os.WriteFile(filepath.Join(data, "config"), []byte(content), 0o600))
	require.NoError(v.t, os.Symlink(filepath.Base(data), filepath.Join(v.dir, "..new")))
	require.NoError(v.t, os.Rename(filepath.Join(v.dir, "..new"), filepath.Join(v.dir, "..data")))
}

// journal collects what is logged.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) add(_, args string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, args)
}

// count is the number of lines with that text.
func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(strings.Join(j.lines, "\n"), text)
}

// watch opens a store and watches its file until the test ends.
func watch(t *testing.T, path string) (*config.Store, *journal) {
	t.Helper()
	store, err := config.Open(path)
	require.NoError(t, err)
	log := &journal{}
	run(klog.NewContext(t.Context(), funcr.New(log.add, funcr.Options{})), t, store)
	return store, log
}

// run runs a store until the test ends. Nothing reads the file any more when its directory is removed: that would be counted.
func run(ctx context.Context, t *testing.T, store *config.Store) {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() { defer close(done); store.Run(ctx, tick) }()
	t.Cleanup(func() { cancel(); <-done })
}

func reloads(t *testing.T, result string) int {
	t.Helper()
	families, err := legacyregistry.DefaultGatherer.Gather()
	require.NoError(t, err)
	for _, family := range families {
		if family.GetName() != "capnt_ccm_config_reload_total" {
			continue
		}
		for _, metric := range family.GetMetric() {
			if metric.GetLabel()[0].GetValue() == result {
				return int(metric.GetCounter().GetValue())
			}
		}
	}
	require.Fail(t, "there is no such metric", result)
	return 0
}

func at(address string) string { return strings.ReplaceAll(minimal, `"pc"`, `"`+address+`"`) }

func TestAChangedFileTakesEffect(t *testing.T) {
	v := newVolume(t, at("one"))
	store, log := watch(t, v.path())
	good := reloads(t, "success")

	v.write(at("two"))
	require.Eventually(t, func() bool { return store.Current().PrismCentral.Address == "two" }, deadline, tick)
	require.Eventually(t, func() bool { return log.count("Took over") == 1 }, deadline, tick)
	assert.Equal(t, good+1, reloads(t, "success"))
}

func TestABadFileKeepsTheFormerConfigurationAndSaysWhyOnce(t *testing.T) {
	for name, tc := range map[string]struct{ content, want string }{
		"a wrong value":    {strings.ReplaceAll(at("two"), "}}", `}, "port": -1}`), "prismCentral.port: Invalid value: -1"},
		"an unknown field": {strings.ReplaceAll(at("two"), `"address"`, `"addrezz"`), "prismCentral.addrezz"},
		"no JSON":          {"{", "parsing JSON"},
		"nothing":          {"", "it is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			v := newVolume(t, at("one"))
			store, log := watch(t, v.path())
			bad := reloads(t, "error")

			v.write(tc.content)
			require.Eventually(t, func() bool { return log.count("Refused") == 1 }, deadline, tick)
			assert.Equal(t, 1, log.count(strings.ReplaceAll(tc.want, `"`, `\"`)))
			assert.Equal(t, "one", store.Current().PrismCentral.Address)
			assert.Equal(t, bad+1, reloads(t, "error"))

			v.write(at("three"))
			require.Eventually(t, func() bool { return store.Current().PrismCentral.Address == "three" }, deadline, tick)
			assert.Equal(t, 1, log.count("Refused"), "the same bad file was refused again")
		})
	}
}

func TestAFileThatIsGoneKeepsTheFormerConfiguration(t *testing.T) {
	v := newVolume(t, at("one"))
	store, log := watch(t, v.path())
	require.NoError(t, os.Remove(v.path()))
	require.Eventually(t, func() bool { return log.count("no such file") == 1 }, deadline, tick)
	assert.Equal(t, "one", store.Current().PrismCentral.Address)
}

func TestListenersAreToldOfEveryChange(t *testing.T) {
	v := newVolume(t, at("one"))
	store, err := config.Open(v.path())
	require.NoError(t, err)
	var told, failed atomic.Value
	store.OnChange(func(before, after config.Config) {
		told.Store(before.PrismCentral.Address + " to " + after.PrismCentral.Address)
	}, func(err error) { failed.Store(err.Error()) })
	run(t.Context(), t, store)

	v.write(at("two"))
	require.Eventually(t, func() bool { return told.Load() == "one to two" }, deadline, tick)
	v.write("")
	require.Eventually(t, func() bool { return failed.Load() != nil }, deadline, tick)
}

func TestAFileThatIsBadFromTheStartIsAnError(t *testing.T) {
	v := newVolume(t, "")
	_, err := config.Open(v.path())
	require.ErrorContains(t, err, "it is empty")
	_, err = config.Open(filepath.Join(t.TempDir(), "absent"))
	assert.ErrorIs(t, err, os.ErrNotExist)
}
