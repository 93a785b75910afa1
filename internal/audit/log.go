package audit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// ErrOvertaken is the error of Append if another process has become the leader. The record is not acknowledged.
var ErrOvertaken = errors.New("another process writes the audit trail: this process is not the leader any more")

const (
	// maxBatch is the maximum number of records that are written together, and maxBatchBytes the number of bytes after which no further
	// record is added. A file has at least 1 MiB, and a batch must fit into it.
	maxBatch      = 128
	maxBatchBytes = 256 << 10
	// commitTimeout limits one write of records and head.
	commitTimeout = 30 * time.Second
	// openRetry is the time after which Start tries again to open the log.
	openRetry = 5 * time.Second
)

// Options configures a Log.
type Options struct {
	// Client writes the head. Reader reads it without a cache. Namespace is the namespace of the manager.
	Client    client.Client
	Reader    client.Reader
	Namespace string
	// Term returns the term of this leader, which no other process has. It returns "" as long as this process is not the leader.
	Term func() string
	// Precedes reports whether the term earlier ended before the term later began. If it is nil, this is never known.
	Precedes func(earlier, later string) bool

	// Path is the file to which records are appended, or "-" for standard output. Each process needs a file of its own.
	Path string
	// OTLPEndpoint is the URL of an OTLP/HTTP endpoint, for example "https://collector:4318". With a path, the endpoint receives copies, and
	// Append does not wait for it. Without a path, Append fails if the endpoint does not accept the record.
	OTLPEndpoint string
	// MaxSize is the size in MiB at which the file is rotated. The default is 100.
	MaxSize int
	// MaxBackups is the number of rotated files that are kept, and MaxAge the number of days. By default all are kept.
	MaxBackups, MaxAge int
	// Clock is used for tests.
	Clock clock.PassiveClock

	stdout io.Writer
}

// Log appends records to the audit trail. It is safe for concurrent use. Only the leader uses it: the log is opened by the first Append or
// by Start.
type Log struct {
	options Options
	metrics metrics
	sink    sink  // nil if there is nothing to write to
	copies  *otlp // nil if no copies are sent to an OTLP endpoint

	mu       sync.Mutex
	queue    []*queued
	flushing bool // whether a goroutine writes the queue; it owns writer

	writer writer
}

// queued is a caller that waits until its record is acknowledged.
type queued struct {
	record *Record // nil if the caller waits only until the log is open
	done   chan error
}

// New returns a log. If the options name nothing to write to, Append does nothing.
func New(options Options) (*Log, error) {
	if options.MaxSize < 0 || options.MaxBackups < 0 || options.MaxAge < 0 {
		return nil, errors.New("configuring the audit log: maximum size, backups and age must not be negative")
	}
	if options.Clock == nil {
		options.Clock = clock.RealClock{}
	}
	if options.Precedes == nil {
		options.Precedes = func(string, string) bool { return false }
	}
	l := &Log{options: options, metrics: newMetrics()}
	file, err := l.openSinks()
	if err != nil {
		return nil, err
	}
	l.writer = writer{
		options: &l.options, sink: l.sink, file: file, targets: map[string]sum{},
		head: headStore{client: options.Client, reader: options.Reader, namespace: options.Namespace},
	}
	return l, nil
}

// openSinks sets the sink and returns it if it is a file.
func (l *Log) openSinks() (*file, error) {
	var target *file
	switch l.options.Path {
	case "":
	case "-":
		l.sink = &stream{writer: cmp.Or[io.Writer](l.options.stdout, os.Stdout)}
	default:
		target = newFile(&l.options)
		l.sink = target
	}
	if l.options.OTLPEndpoint == "" {
		return target, nil
	}
	endpoint, err := newOTLP(l.options.OTLPEndpoint, l.sink != nil, func(error) { l.metrics.errors.WithLabelValues("otlp").Inc() })
	switch {
	case err != nil:
		return nil, err
	case l.sink == nil:
		l.sink = endpoint
	default:
		l.sink, l.copies = &tee{l.sink, endpoint}, endpoint
	}
	return target, nil
}

// Enabled reports whether the log writes records anywhere.
func (l *Log) Enabled() bool { return l.sink != nil }

// NeedLeaderElection implements manager.LeaderElectionRunnable.
func (l *Log) NeedLeaderElection() bool { return true }

// Start opens the log, so that records that an earlier process wrote but did not acknowledge are acknowledged. It tries again until the log
// is open or ctx ends. When ctx ends, it sends the remaining copies to the OTLP endpoint. Start implements manager.Runnable.
func (l *Log) Start(ctx context.Context) error {
	if !l.Enabled() {
		return nil
	}
	_ = wait.PollUntilContextCancel(ctx, openRetry, true, func(ctx context.Context) (bool, error) { // fails only if ctx ends
		err := l.enqueue(ctx, nil)
		if err == nil || errors.Is(err, ErrOvertaken) {
			return true, nil
		}
		if ctx.Err() == nil {
			log.FromContext(ctx).Error(err, "Failed to open the audit log, trying again")
		}
		return false, nil
	})
	if l.copies == nil {
		return nil
	}
	<-ctx.Done()
	flushing, cancel := context.WithTimeout(context.WithoutCancel(ctx), exportTimeout)
	defer cancel()
	return l.copies.provider.ForceFlush(flushing)
}

// Append adds a record to the audit trail. If it returns nil, the record is stored permanently and acknowledged by the head. If it returns
// an error, the record may still be in the audit trail, or be acknowledged later. The caller must not do what the record announces.
// The log continues to write the record when ctx ends.
func (l *Log) Append(ctx context.Context, record Record) error {
	if !l.Enabled() {
		return nil
	}
	if err := l.enqueue(ctx, &record); err != nil {
		return fmt.Errorf("writing the audit record of %s: %w", record.about(), err)
	}
	return nil
}

// enqueue adds record to the queue and waits until it is written. Records that arrive during a write are written together afterwards.
func (l *Log) enqueue(ctx context.Context, record *Record) error {
	q := &queued{record: record, done: make(chan error, 1)}
	l.mu.Lock()
	l.queue = append(l.queue, q)
	start := !l.flushing
	l.flushing = true
	l.mu.Unlock()
	if start {
		go l.flush(context.WithoutCancel(ctx))
	}
	select {
	case err := <-q.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// flush writes the queue until it is empty.
func (l *Log) flush(ctx context.Context) {
	for {
		l.mu.Lock()
		batch := l.queue[:min(len(l.queue), maxBatch)]
		if len(batch) == 0 {
			l.queue, l.flushing = nil, false
			l.mu.Unlock()
			return
		}
		l.queue = l.queue[len(batch):]
		l.mu.Unlock()
		for len(batch) > 0 {
			written, err := l.commit(ctx, batch)
			for _, q := range batch[:written] {
				q.done <- err
			}
			batch = batch[written:]
		}
	}
}

func (l *Log) commit(ctx context.Context, batch []*queued) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, commitTimeout)
	defer cancel()
	n, err := l.writer.commit(ctx, batch)
	if err != nil {
		l.metrics.errors.WithLabelValues("trail").Inc()
		return n, err
	}
	for _, q := range batch[:n] {
		if q.record != nil {
			l.metrics.records.WithLabelValues(string(q.record.Kind)).Inc()
		}
	}
	return n, nil
}
