package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
)

// openLog finds the end of the chain and writes the term of this process into the head, so that earlier leaders can no longer write it.
func (w *writer) openLog(ctx context.Context) error {
	term := w.term
	if term == "" {
		if term = w.options.Term(); term == "" {
			return errors.New("opening the audit log: this process is not the leader")
		}
	}
	stored, err := w.readFile()
	if err != nil {
		return err
	}
	for {
		current, err := w.head.read(ctx)
		if err != nil {
			return err
		}
		if current != nil && w.overtaken(current.Term, term) {
			w.failure = ErrOvertaken
			return w.failure
		}
		at, err := stored.end(current)
		if err != nil {
			return err
		}
		err = w.head.write(ctx, at.head(term), w.options.Clock.Now())
		if errors.Is(err, errMoved) {
			continue
		}
		if err != nil {
			return err
		}
		w.term, w.written, w.acked, w.open = term, at, at, true
		maps.Copy(w.targets, stored.targets(at.digest)) // if the log is opened again, the targets of the earlier records are still known
		return nil
	}
}

// overtaken reports whether the leader with the term current has overtaken this process.
func (w *writer) overtaken(current, term string) bool {
	opened := w.term != ""
	return current != term && (opened || w.options.Precedes(term, current))
}

// readFile reads the end of the file of this process.
func (w *writer) readFile() (*stored, error) {
	s := &stored{records: map[sum]*storedRecord{}}
	if w.file == nil {
		return s, nil
	}
	tail, err := w.file.open()
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(tail) {
		s.add(bytes.TrimSuffix(line, []byte("\n")))
	}
	return s, nil
}

// stored contains the last records in the file of this process. Among them may be records of this process's predecessors that are not in
// the chain.
type stored struct {
	records map[sum]*storedRecord
	last    *storedRecord
}

type storedRecord struct {
	position
	previous sum
	target   string
}

// add adds the record in line. It ignores lines that are not records: Verify reports them.
func (s *stored) add(line []byte) {
	record, computed, err := parseLine(line)
	if err != nil || record.Digest != computed.String() {
		return
	}
	previous, err := parseSum(record.Previous)
	if err != nil {
		return
	}
	s.last = &storedRecord{position: position{record.Seq, computed}, previous: previous, target: record.Target.Key}
	s.records[computed] = s.last
}

// end returns where the chain continues. This is the last record of the file if it follows the head through records of the file: their
// writer ended before it could write the head. Otherwise it is the head. Without a head the chain continues at the end of the file.
func (s *stored) end(head *Head) (position, error) {
	if head == nil {
		if s.last == nil {
			return position{}, nil
		}
		return s.last.position, nil
	}
	at, err := head.position()
	if err != nil {
		return position{}, fmt.Errorf("opening the audit log: %w", err)
	}
	for r := s.last; r != nil && r.seq > at.seq; r = s.records[r.previous] {
		if r.seq == at.seq+1 && r.previous == at.digest {
			return s.last.position, nil
		}
	}
	return at, nil
}

// targets returns the last record of each target, as far as the records before end are in the file without a gap.
func (s *stored) targets(end sum) map[string]sum {
	last := map[string]sum{}
	for r := s.records[end]; r != nil; r = s.records[r.previous] {
		if _, known := last[r.target]; !known && r.target != "" {
			last[r.target] = r.digest
		}
	}
	return last
}
