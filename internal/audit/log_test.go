package audit

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
)

// cluster is a fake API server whose writes of the head can fail.
type cluster struct {
	client.WithWatch
	mu     sync.Mutex
	writes int
	// before is called before each write, after after each successful write. The write fails if they return an error.
	before, after func() error
}

func newCluster() *cluster {
	c := &cluster{}
	none := func() error { return nil }
	c.before, c.after = none, none
	write := func(write func() error) error {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.writes++
		if err := c.before(); err != nil {
			return err
		}
		if err := write(); err != nil {
			return err
		}
		return c.after()
	}
	c.WithWatch = interceptor.NewClient(fake.NewClientBuilder().Build(), interceptor.Funcs{
		Create: func(ctx context.Context, w client.WithWatch, object client.Object, options ...client.CreateOption) error {
			return write(func() error { return w.Create(ctx, object, options...) })
		},
		Update: func(ctx context.Context, w client.WithWatch, object client.Object, options ...client.UpdateOption) error {
			return write(func() error { return w.Update(ctx, object, options...) })
		},
	})
	return c
}

// pod returns a log as a new process opens it.
func (c *cluster) pod(t *testing.T, path, term string) *Log {
	t.Helper()
	log, err := New(Options{
		Client: c, Reader: c, Namespace: "capnt-system", Path: path, MaxSize: 1,
		Term: func() string { return term }, Clock: clocktesting.NewFakePassiveClock(start),
		Precedes: func(earlier, later string) bool { return strings.Compare(earlier[:7], later[:7]) < 0 }, // lease/<number>
	})
	require.NoError(t, err)
	return log
}

func (c *cluster) head(t *testing.T) *Head {
	t.Helper()
	head, err := ReadHead(t.Context(), c, "capnt-system")
	require.NoError(t, err)
	return head
}

// verify verifies the files and the head.
func (c *cluster) verify(t *testing.T, paths ...string) *Report {
	t.Helper()
	report, err := VerifyFiles(paths, c.head(t))
	require.NoError(t, err)
	assert.True(t, report.HeadVerified)
	return report
}

func appendRecords(t *testing.T, log *Log, from, n int) {
	t.Helper()
	for i := range n {
		require.NoError(t, log.Append(t.Context(), *sample(from + i)))
	}
}

func files(t *testing.T) (a, b string) {
	t.Helper()
	return filepath.Join(t.TempDir(), "log", "audit.log"), filepath.Join(t.TempDir(), "audit.log")
}

var errAPI = errors.New("the API server does not respond")

func failing() error { return errAPI }

func TestAppendWritesChainAndHead(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	log := c.pod(t, path, "lease/1/a")
	appendRecords(t, log, 0, 30)
	assert.Equal(t, 31, c.writes, "one for each record, and one for the term")
	report := c.verify(t, path)
	assert.Equal(t, 30, report.Records)
	assert.Equal(t, Head{Seq: 30, Digest: report.Head, Term: "lease/1/a"}, *c.head(t))
}

func TestAppendCommitsConcurrentRecordsTogether(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	log := c.pod(t, path, "lease/1/a")
	appendRecords(t, log, 0, 1)
	started, release := make(chan struct{}), make(chan struct{})
	c.before = func() error {
		c.before = func() error { return nil }
		close(started)
		<-release
		return nil
	}
	var wait sync.WaitGroup
	errs := make(chan error, 301)
	write := func(i int) { errs <- log.Append(t.Context(), *sample(i)) }
	wait.Go(func() { write(1) })
	<-started
	for i := range 300 {
		wait.Go(func() { write(2 + i) })
	}
	assert.Eventually(t, func() bool {
		log.mu.Lock()
		defer log.mu.Unlock()
		return len(log.queue) == 300
	}, waitFor, tick)
	close(release)
	wait.Wait()
	close(errs)
	for err := range errs {
		require.NoError(t, err)
	}
	assert.Equal(t, 302, c.verify(t, path).Records)
	assert.Equal(t, 2+1+3, c.writes, "300 records need three batches")
}

func TestRestartAcknowledgesBatchThatHeadLacks(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	log := c.pod(t, path, "lease/1/a")
	appendRecords(t, log, 0, 5)
	c.before = failing
	require.ErrorIs(t, log.Append(t.Context(), *sample(5)), errAPI)
	assert.Equal(t, int64(5), c.head(t).Seq)
	assert.Equal(t, 1, c.verify(t, path).Unacknowledged)

	c.before = func() error { return nil }
	restarted := c.pod(t, path, "lease/2/a")
	require.NoError(t, restarted.Start(t.Context()))
	assert.Equal(t, int64(6), c.head(t).Seq)
	assert.Equal(t, "lease/2/a", c.head(t).Term)
	appendRecords(t, restarted, 6, 5)
	report := c.verify(t, path)
	assert.Equal(t, 11, report.Records)
	assert.Zero(t, report.Unacknowledged)
}

func TestAppendRetriesHeadOfEarlierBatch(t *testing.T) {
	for name, script := range map[string]func(*cluster, func() error){
		"request lost":  func(c *cluster, fail func() error) { c.before = fail },
		"response lost": func(c *cluster, fail func() error) { c.after = fail },
	} {
		t.Run(name, func(t *testing.T) {
			path, _ := files(t)
			c := newCluster()
			log := c.pod(t, path, "lease/1/a")
			appendRecords(t, log, 0, 5)
			script(c, failing)
			require.ErrorIs(t, log.Append(t.Context(), *sample(5)), errAPI)
			script(c, func() error { return nil })
			appendRecords(t, log, 6, 2)
			report := c.verify(t, path)
			assert.Equal(t, 8, report.Records)
			assert.Zero(t, report.Unacknowledged)
		})
	}
}

func TestLeadersAlternateOverTwoFiles(t *testing.T) {
	a, b := files(t)
	c := newCluster()
	records := 0
	for i, path := range []string{a, b, a, a, b} {
		log := c.pod(t, path, []string{"lease/1/a", "lease/2/b", "lease/3/a", "lease/4/a", "lease/5/b"}[i])
		appendRecords(t, log, records, 20+i)
		records += 20 + i
	}
	for _, paths := range [][]string{{a, b}, {b, a}} {
		report := c.verify(t, paths...)
		assert.Equal(t, records, report.Records)
		assert.Zero(t, report.Unacknowledged)
	}
	_, err := VerifyFiles([]string{a}, c.head(t))
	assert.ErrorContains(t, err, "records 21 to 41 were dropped")
}

func TestOvertakenLeaderStops(t *testing.T) {
	a, b := files(t)
	c := newCluster()
	old, next := c.pod(t, a, "lease/1/a"), c.pod(t, b, "lease/2/b")
	appendRecords(t, old, 0, 10)
	appendRecords(t, next, 10, 3)
	require.ErrorIs(t, old.Append(t.Context(), *sample(13)), ErrOvertaken)
	size := len(read(t, a))
	require.ErrorIs(t, old.Append(t.Context(), *sample(14)), ErrOvertaken)
	assert.Len(t, read(t, a), size, "an overtaken leader writes nothing more")
	appendRecords(t, next, 15, 3)
	report := c.verify(t, a, b)
	assert.Equal(t, 16, report.Records)
	assert.Equal(t, 1, report.Unacknowledged)
	assert.Equal(t, []string{a + ":11"}, report.UnacknowledgedAt)

	again := c.pod(t, a, "lease/3/a")
	appendRecords(t, again, 18, 5)
	report = c.verify(t, a, b)
	assert.Equal(t, 21, report.Records)
	assert.Equal(t, 1, report.Unacknowledged)
}

func TestLateLeaderDoesNotOpen(t *testing.T) {
	a, b := files(t)
	c := newCluster()
	appendRecords(t, c.pod(t, b, "lease/2/b"), 0, 1)
	late := c.pod(t, a, "lease/1/a")
	require.ErrorIs(t, late.Append(t.Context(), *sample(1)), ErrOvertaken)
	require.NoError(t, late.Start(t.Context()))
	assert.Equal(t, "lease/2/b", c.head(t).Term)
	assert.Empty(t, read(t, a))
}

func TestHeadIsEditedByOthers(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	log := c.pod(t, path, "lease/1/a")
	appendRecords(t, log, 0, 3)
	object := &corev1.ConfigMap{}
	require.NoError(t, c.Get(t.Context(), client.ObjectKey{Namespace: "capnt-system", Name: HeadName}, object))
	object.Labels = map[string]string{"backup": "true"}
	require.NoError(t, c.Update(t.Context(), object))
	appendRecords(t, log, 3, 3)
	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	assert.Equal(t, "true", object.Labels["backup"])

	require.NoError(t, c.Delete(t.Context(), object))
	appendRecords(t, log, 6, 3)
	assert.Equal(t, 9, c.verify(t, path).Records)

	require.NoError(t, c.Delete(t.Context(), object))
	appendRecords(t, c.pod(t, path, "lease/2/a"), 9, 3)
	assert.Equal(t, 12, c.verify(t, path).Records, "without a head, the chain continues at the end of the file")

	require.NoError(t, c.Get(t.Context(), client.ObjectKeyFromObject(object), object))
	object.Data[digestKey] = "sha256:1"
	require.NoError(t, c.Update(t.Context(), object))
	require.ErrorContains(t, c.pod(t, path, "lease/3/a").Append(t.Context(), *sample(12)), "it is not sha256: and 64 hex digits")
}

func TestAppendOfAbandonedRecord(t *testing.T) {
	path, _ := files(t)
	c := newCluster()
	log := c.pod(t, path, "lease/1/a")
	ctx, cancel := context.WithCancel(t.Context())
	c.before = func() error { cancel(); return nil }
	err := log.Append(ctx, *sample(0))
	if err != nil {
		require.ErrorIs(t, err, context.Canceled)
	}
	appendRecords(t, log, 1, 1)
	assert.Equal(t, 2, c.verify(t, path).Records, "the log continues to write the record")
}

func TestLogWithoutPathWritesNothing(t *testing.T) {
	c := newCluster()
	log := c.pod(t, "", "lease/1/a")
	assert.False(t, log.Enabled())
	require.NoError(t, log.Start(t.Context()))
	appendRecords(t, log, 0, 1)
	assert.Zero(t, c.writes)
}

func TestLogOfProcessThatIsNotLeader(t *testing.T) {
	path, _ := files(t)
	require.ErrorContains(t, newCluster().pod(t, path, "").Append(t.Context(), *sample(0)), "this process is not the leader")
}

func TestStandardOutputContinuesAtHead(t *testing.T) {
	c := newCluster()
	var output bytes.Buffer
	for i, term := range []string{"lease/1/a", "lease/2/b"} {
		log, err := New(Options{Client: c, Reader: c, Path: "-", Term: func() string { return term }, stdout: &output})
		require.NoError(t, err)
		appendRecords(t, log, 10*i, 10)
	}
	head, err := ReadHead(t.Context(), c, "")
	require.NoError(t, err)
	report, err := check(head, output.Bytes())
	require.NoError(t, err)
	assert.Equal(t, 20, report.Records)
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	return content
}
