package audit

import (
	"bytes"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
)

// start is the time of the first record in tests.
var start = time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC)

// trail builds lines of an audit trail without a log.
type trail struct {
	t      testing.TB
	clock  *clocktesting.FakePassiveClock
	writer writer
	count  int
}

func newTrail(t testing.TB) *trail {
	t.Helper()
	passive := clocktesting.NewFakePassiveClock(start)
	return &trail{t: t, clock: passive, writer: writer{
		options: &Options{Clock: clock.PassiveClock(passive)}, targets: map[string]sum{}, term: "lease/1/a",
	}}
}

// lead begins a term of a leader that knows the last records of no targets.
func (tr *trail) lead(term string) {
	tr.writer.term, tr.writer.targets = term, map[string]sum{}
}

// fork returns a trail that continues at the same record.
func (tr *trail) fork(term string) *trail {
	other := *tr
	other.lead(term)
	return &other
}

// add returns the lines of n further records.
func (tr *trail) add(n int) [][]byte {
	tr.t.Helper()
	var lines [][]byte
	for range n {
		tr.clock.SetTime(tr.clock.Now().Add(time.Second))
		e, err := tr.writer.encode([]*queued{{record: sample(tr.count)}})
		require.NoError(tr.t, err)
		tr.count++
		tr.writer.written = e.end
		for key, digest := range e.targets {
			tr.writer.targets[key] = digest
		}
		lines = append(lines, e.lines)
	}
	return lines
}

// head returns the head after the last record.
func (tr *trail) head() *Head {
	head := tr.writer.written.head(tr.writer.term)
	return &head
}

// sample returns a record as the manager writes it.
func sample(i int) *Record {
	kind := []Kind{Plan, Policy, Decision, Apply, Result}[i%5]
	machine := i / 5 % 17
	r := &Record{
		Kind: kind, Plan: fmt.Sprintf("prod/md-%d-9f2c1a-0b1c", machine), Cause: "Drift", Disruption: "PowerCycle",
		Target:       Target{Kind: "NutanixMachine", Namespace: "prod", Name: fmt.Sprintf("md-%d", machine), Key: fmt.Sprintf("key-%d", machine)},
		ChangeDigest: fmt.Sprintf("sha256:%064x", i), ClassDigest: fmt.Sprintf("sha256:%064x", machine),
		State: State{Lineage: "3f1c", Serial: int64(i)}, Revision: "main@sha1:5e1f0c2",
	}
	if kind == Decision {
		r.Verdict, r.By, r.Reason = "Approved", User{Username: "platform-admin@example.com", Groups: []string{"platform"}}, `CHG-4711, <back> & "forth" – größer`
		r.ExpiresAt, r.MaxUses = time.Date(2026, 12, 2, 9, 12, 44, 0, time.UTC), 3
	}
	if i%23 == 0 {
		r.Target = Target{} // a verdict about a class of plans
	}
	return r
}

func join(lines ...[][]byte) []byte {
	var all []byte
	for _, part := range lines {
		all = append(all, bytes.Join(part, nil)...)
	}
	return all
}

// check verifies files that are named a, b, c...
func check(head *Head, files ...[]byte) (*Report, error) {
	var sources []Source
	for i, file := range files {
		sources = append(sources, Source{Name: string(rune('a' + i)), Reader: bytes.NewReader(file)})
	}
	return Verify(sources, head)
}
