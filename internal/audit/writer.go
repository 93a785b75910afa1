package audit

import (
	"context"
	"errors"
	"maps"
)

// writer writes batches of records. It is used by one goroutine at a time.
//
// A batch is first stored by the sink and then acknowledged by the head. Only one batch can be ahead of the head: the writer stores the next
// batch after the head includes the one before. If the process ends in between, either it continues with its file and includes the batch in
// the head, or another process continues at the head. In the second case, Verify reports the records of the batch as not acknowledged.
type writer struct {
	options *Options
	sink    sink
	file    *file // the sink, if it is a file
	head    headStore

	term    string // empty until the log is opened for the first time
	open    bool
	failure error // set when the writer must not write any more

	unsent  *encoded // a batch that the sink, which is not a file, did not accept
	written position // the last record in the sink
	acked   position // the last record that the head includes
	// targets contains the last record of each target that this process knows. An entry takes about 100 bytes.
	targets map[string]sum
}

// position identifies a record.
type position struct {
	seq    int64
	digest sum
}

func (p position) head(term string) Head {
	return Head{Seq: p.seq, Digest: p.digest.String(), Term: term}
}

func (h *Head) position() (position, error) {
	digest, err := parseSum(h.Digest)
	return position{h.Seq, digest}, err
}

// commit writes the first records of batch. It returns how many, and why they are not acknowledged.
func (w *writer) commit(ctx context.Context, batch []*queued) (int, error) {
	if w.failure != nil {
		return len(batch), w.failure
	}
	if !w.open {
		if err := w.openLog(ctx); err != nil {
			return len(batch), err
		}
	}
	if err := w.finish(ctx); err != nil {
		return len(batch), err
	}
	next, err := w.encode(batch)
	if err != nil {
		return len(batch), err
	}
	if len(next.records) > 0 {
		if err := w.store(ctx, next); err != nil {
			return next.taken, err
		}
	}
	return next.taken, w.advance(ctx)
}

// finish writes what an earlier commit could not write.
func (w *writer) finish(ctx context.Context) error {
	if w.unsent != nil {
		if err := w.store(ctx, w.unsent); err != nil {
			return err
		}
	}
	return w.advance(ctx)
}

// store passes e to the sink. If that fails, the sink may have stored some of e. A file is read again in order to find out. Another sink gets
// the same lines again, so that no number is used twice.
func (w *writer) store(ctx context.Context, e *encoded) error {
	if err := w.sink.write(ctx, e.records, e.lines); err != nil {
		if w.file != nil {
			w.open = false
		} else {
			w.unsent = e
		}
		return err
	}
	w.unsent, w.written = nil, e.end
	maps.Copy(w.targets, e.targets)
	return nil
}

// encoded is the beginning of a batch, with digests.
type encoded struct {
	taken   int
	records []*Record
	lines   []byte
	end     position
	targets map[string]sum
}

func (w *writer) encode(batch []*queued) (*encoded, error) {
	now := w.options.Clock.Now().UTC().Truncate(1e6)
	e := &encoded{end: w.written, targets: map[string]sum{}}
	for _, q := range batch {
		if len(e.lines) >= maxBatchBytes {
			break
		}
		e.taken++
		r := q.record
		if r == nil {
			continue
		}
		r.Seq, r.Time, r.Term, r.Previous = e.end.seq+1, now, w.term, e.end.digest.String()
		r.PreviousOfTarget = w.previousOfTarget(r, e)
		line, digest, err := r.line()
		if err != nil {
			return nil, err
		}
		e.end = position{r.Seq, digest}
		if r.Target.Key != "" {
			e.targets[r.Target.Key] = digest
		}
		e.records, e.lines = append(e.records, r), append(e.lines, line...)
	}
	return e, nil
}

func (w *writer) previousOfTarget(r *Record, e *encoded) string {
	if r.Target.Key == "" {
		return ""
	}
	for _, targets := range []map[string]sum{e.targets, w.targets} {
		if digest, ok := targets[r.Target.Key]; ok {
			return digest.String()
		}
	}
	return r.Previous
}

// advance makes the head include everything that is written.
func (w *writer) advance(ctx context.Context) error {
	for w.acked != w.written {
		err := w.head.write(ctx, w.written.head(w.term), w.options.Clock.Now())
		if err == nil {
			w.acked = w.written
			return nil
		}
		if !errors.Is(err, errMoved) {
			return err
		}
		if err := w.reread(ctx); err != nil {
			return err
		}
	}
	return nil
}

// reread reads the head after somebody else has written it. It returns an error unless the head can be written again.
func (w *writer) reread(ctx context.Context) error {
	current, err := w.head.read(ctx)
	if err != nil || current == nil { // somebody has deleted the head, so it is created again
		return err
	}
	at, err := current.position()
	if err != nil {
		return err
	}
	switch {
	case current.Term == w.term && at == w.written: // the response of an earlier write was lost
		w.acked = w.written
		return nil
	case current.Term == w.term && at == w.acked: // somebody has edited the metadata of the ConfigMap
		return nil
	}
	w.failure = ErrOvertaken
	return w.failure
}
