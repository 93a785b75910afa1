package audit

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVerifyAcceptsChainFromFilesInAnyOrder(t *testing.T) {
	tr := newTrail(t)
	first := tr.add(40)
	tr.lead("lease/2/b")
	second := tr.add(30)
	tr.lead("lease/3/c")
	third := tr.add(50)
	for name, files := range map[string][][]byte{
		"one file":         {join(first, second, third)},
		"reverse order":    {join(third), join(second), join(first)},
		"same pod twice":   {join(second), join(first, third)},
		"copies of a file": {join(first), join(first, second), join(third, third[49:])},
		"split in the term": {
			join(third[20:]), join(first[:7]), join(second, third[:20]), join(first[7:]),
		},
	} {
		t.Run(name, func(t *testing.T) {
			report, err := check(tr.head(), files...)
			require.NoError(t, err)
			assert.Equal(t, 120, report.Records)
			assert.Equal(t, int64(1), report.FirstSeq)
			assert.Equal(t, int64(120), report.LastSeq)
			assert.Equal(t, start.Add(time.Second), report.From)
			assert.Equal(t, start.Add(120*time.Second), report.To)
			assert.Equal(t, tr.head().Digest, report.Head)
			assert.True(t, report.HeadVerified)
			assert.Zero(t, report.Unacknowledged)
			assert.Zero(t, report.OtherLines)
		})
	}
}

func TestVerifyCountsDuplicates(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(10)
	report, err := check(tr.head(), join(lines[:5], lines[4:]), join(lines[:3]))
	require.NoError(t, err)
	assert.Equal(t, 10, report.Records)
	assert.Equal(t, 4, report.Duplicates)
}

func TestVerifyProvesChainWithoutBeginning(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(30)
	report, err := check(tr.head(), join(lines[12:]))
	require.NoError(t, err)
	assert.Equal(t, 18, report.Records)
	assert.Equal(t, int64(13), report.FirstSeq)
}

func TestVerifyOfNothing(t *testing.T) {
	report, err := check(&Head{})
	require.NoError(t, err)
	assert.Equal(t, &Report{HeadVerified: true}, report)

	_, err = check(newTrailHead(t, 3))
	assert.EqualError(t, err, "records 1 to 3 were dropped")
}

func newTrailHead(t *testing.T, records int) *Head {
	t.Helper()
	tr := newTrail(t)
	tr.add(records)
	return tr.head()
}

// tampering is one way to tamper with record i of a file. It returns nil if it does not apply to the record.
type tampering struct {
	name     string
	problem  Problem
	needHead bool // whether the last record can be named only with a head
	change   func(lines [][]byte, i int) [][]byte
	// last is the number of further records that the error names.
	last int64
}

var tamperings = []tampering{
	{name: "field", problem: Altered, change: edit(func(r *Record) { r.Plan += "x" })},
	{name: "verdict", problem: Altered, change: edit(func(r *Record) { r.Verdict = "Denied" })},
	{name: "user", problem: Altered, change: edit(func(r *Record) { r.By.Username = "mallory" })},
	{name: "time", problem: Altered, change: edit(func(r *Record) { r.Time = r.Time.Add(time.Hour) })},
	{name: "term", problem: Altered, change: edit(func(r *Record) { r.Term = "lease/9/x" })},
	{name: "target", problem: Altered, change: edit(func(r *Record) { r.Target.Key = "other" })},
	{name: "higher number", problem: Altered, change: edit(func(r *Record) { r.Seq += 3 })},
	{name: "lower number", problem: Altered, change: edit(func(r *Record) { r.Seq /= 2 })},
	{name: "huge number", problem: Altered, change: edit(func(r *Record) { r.Seq += 1 << 40 })},
	{name: "previous", problem: Altered, change: edit(func(r *Record) { r.Previous = digestPrefix + strings.Repeat("ab", 32) })},
	{name: "previous of target", problem: Altered, change: edit(func(r *Record) { r.PreviousOfTarget = digestPrefix + strings.Repeat("ab", 32) })},
	{name: "digest", problem: Altered, change: edit(func(r *Record) { r.Digest = digestPrefix + strings.Repeat("ab", 32) })},
	{name: "field and digest", problem: Altered, needHead: true, change: edit(rehash(func(r *Record) { r.Plan += "x" }))},
	{name: "previous of target and digest", problem: Altered, needHead: true, change: edit(rehash(func(r *Record) {
		r.PreviousOfTarget = digestPrefix + strings.Repeat("ab", 32)
	}))},
	{name: "white space", problem: Altered, change: replace(func(line []byte) []byte { return bytes.Replace(line, []byte(","), []byte(", "), 1) })},
	{name: "unknown field", problem: Altered, change: replace(func(line []byte) []byte { return bytes.Replace(line, []byte("{"), []byte(`{"x":1,`), 1) })},
	{name: "not a record", problem: Altered, needHead: true, change: replace(func([]byte) []byte { return []byte("hello\n") })},
	{name: "removed", problem: Dropped, needHead: true, change: func(lines [][]byte, i int) [][]byte { return slices.Delete(lines, i, i+1) }},
	{name: "several removed", problem: Dropped, needHead: true, last: 2, change: func(lines [][]byte, i int) [][]byte {
		if i+3 > len(lines) {
			return nil
		}
		return slices.Delete(lines, i, i+3)
	}},
	{name: "swapped with the next", problem: Reordered, change: func(lines [][]byte, i int) [][]byte {
		if i+1 == len(lines) {
			return nil
		}
		lines[i], lines[i+1] = lines[i+1], lines[i]
		return lines
	}},
	{name: "swapped with the last", problem: Reordered, change: func(lines [][]byte, i int) [][]byte {
		if i+1 == len(lines) {
			return nil
		}
		lines[i], lines[len(lines)-1] = lines[len(lines)-1], lines[i]
		return lines
	}},
	{name: "moved to the end", problem: Reordered, change: func(lines [][]byte, i int) [][]byte {
		if i+1 == len(lines) {
			return nil
		}
		moved := lines[i]
		return append(slices.Delete(lines, i, i+1), moved)
	}},
	{name: "inserted", problem: Inserted, needHead: true, change: func(lines [][]byte, i int) [][]byte {
		if i == len(lines)/2 {
			return nil // TestVerifyReportsUnacknowledgedRecords: at this place another leader began
		}
		forged := edit(rehash(func(r *Record) { r.Plan, r.Verdict, r.Term = "prod/forged", "Approved", "lease/9/x" }))
		return slices.Insert(lines, i+1, forged([][]byte{slices.Clone(lines[i])}, 0)[0])
	}},
}

// replace returns a tampering that replaces a line.
func replace(change func([]byte) []byte) func([][]byte, int) [][]byte {
	return func(lines [][]byte, i int) [][]byte {
		lines[i] = change(slices.Clone(lines[i]))
		return lines
	}
}

// edit returns a tampering that edits a record and keeps its digest, unless change sets another.
func edit(change func(*Record)) func([][]byte, int) [][]byte {
	return replace(func(line []byte) []byte {
		r := &Record{}
		if err := json.Unmarshal(line, r); err != nil {
			return []byte(err.Error())
		}
		change(r)
		var edited bytes.Buffer
		encoder := json.NewEncoder(&edited)
		encoder.SetEscapeHTML(false)
		if err := encoder.Encode(r); err != nil {
			return []byte(err.Error())
		}
		return edited.Bytes()
	})
}

func rehash(change func(*Record)) func(*Record) {
	return func(r *Record) {
		change(r)
		_, _, _ = r.line() // sets the digest; an error leaves the old one, which the test notices
	}
}

// TestVerifyNamesTamperedRecord tampers in every way with records at all places of a short trail, and with a random record of a long one.
func TestVerifyNamesTamperedRecord(t *testing.T) {
	random := newRandom(t)
	short, long := newTrail(t), newTrail(t)
	shortLines, longLines := twoTerms(short, 24), twoTerms(long, 2000)
	for _, tampering := range tamperings {
		t.Run(tampering.name, func(t *testing.T) {
			for i := 1; i < len(shortLines); i++ {
				tampering.check(t, shortLines, i, short.head())
				if !tampering.needHead || i < len(shortLines)-4 {
					tampering.check(t, shortLines, i, nil)
				}
			}
			tampering.check(t, longLines, 1+random.IntN(len(longLines)-1), long.head())
		})
	}
}

// check verifies that Verify names record i after the tampering. The lines are in two files.
func (tampering *tampering) check(t *testing.T, lines [][]byte, i int, head *Head) {
	t.Helper()
	tampered := tampering.change(slices.Clone(lines), i)
	if tampered == nil {
		return
	}
	files := [][]byte{join(tampered)}
	if tampering.problem != Reordered { // moving records between files harms nothing
		files = [][]byte{join(tampered[:len(lines)/3]), join(tampered[len(lines)/3:])}
	}
	_, err := check(head, files...)
	var named *TamperError
	require.ErrorAs(t, err, &named, "record %d, head %v", i+1, head)
	assert.Equal(t, tampering.problem, named.Problem, "record %d, head %v: %v", i+1, head, err)
	assert.Equal(t, int64(i+1), named.Seq, "record %d, head %v: %v", i+1, head, err)
	if tampering.last > 0 {
		assert.Equal(t, named.Seq+tampering.last, named.Last, err)
	}
}

func twoTerms(tr *trail, records int) [][]byte {
	lines := tr.add(records / 2)
	tr.lead("lease/2/b")
	return append(lines, tr.add(records/2)...)
}

// newRandom returns random numbers and logs their seed.
func newRandom(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// TestVerifyNamesRecordOfAlteredByte alters one byte at a time: the ends of each line, and random bytes.
func TestVerifyNamesRecordOfAlteredByte(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(12)
	file := join(lines)
	type alteration struct {
		offset int
		value  byte
	}
	var alterations []alteration
	end := 0
	for _, line := range lines {
		start := end
		end += len(line)
		alterations = append(alterations, alteration{start, '\n'}, alteration{end - 2, '\n'}) // the last newline may be missing
	}
	random := newRandom(t)
	for range 1000 {
		value := byte(random.IntN(256))
		if random.IntN(3) == 0 {
			value = []byte("\n\"0,}x")[random.IntN(6)]
		}
		alterations = append(alterations, alteration{random.IntN(len(file) - 1), value})
	}
	for _, altered := range alterations {
		offset, value := altered.offset, altered.value
		if value == file[offset] {
			continue
		}
		tampered := slices.Clone(file)
		tampered[offset] = value
		seq := int64(1 + bytes.Count(file[:offset], []byte("\n")))
		for _, head := range []*Head{nil, tr.head()} {
			_, err := check(head, tampered)
			var named *TamperError
			require.ErrorAs(t, err, &named, "byte %d of record %d becomes %q, head %v", offset, seq, value, head)
			require.Equal(t, seq, named.Seq, "byte %d becomes %q, head %v: %v", offset, value, head, err)
			require.Equal(t, Altered, named.Problem, "byte %d of record %d becomes %q, head %v: %v", offset, seq, value, head, err)
		}
	}
}

func TestVerifyWithHeadNamesMissingEnd(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(50)
	_, err := check(nil, join(lines[:49]))
	require.NoError(t, err, "without a head, nothing says that there was another record")

	_, err = check(tr.head(), join(lines[:49]))
	require.EqualError(t, err, "record 50 was dropped: expected digest "+short(tr.head().Digest)+" (after line 49 of a)")
	_, err = check(tr.head(), join(lines[:40]))
	require.EqualError(t, err, "records 41 to 50 were dropped (after line 40 of a)")

	_, err = check(tr.head(), append(join(lines[:49]), lines[49][:100]...))
	require.ErrorContains(t, err, "record 50 was altered")
}

func TestVerifyErrorDescribesRecordWithoutPlan(t *testing.T) {
	for about, record := range map[string]Record{
		"NutanixMachine/prod/md-0":          {Kind: Result, Target: Target{Kind: "NutanixMachine", Namespace: "prod", Name: "md-0"}},
		"NutanixPlanDecision/prod/chg-4711": {Kind: Decision, Source: "NutanixPlanDecision/prod/chg-4711"},
	} {
		tr := newTrail(t)
		e, err := tr.writer.encode([]*queued{{record: &record}})
		require.NoError(t, err)
		_, err = check(nil, bytes.Replace(e.lines, []byte("prod"), []byte("test"), 1))
		assert.ErrorContains(t, err, "record 1 (2026-11-02T08:00:00Z, "+strings.ToLower(string(record.Kind))+" on "+strings.Replace(about, "prod", "test", 1)+")")
	}
}

func TestVerifyErrorDescribesRecord(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(1200)
	original := lines[1112]
	lines = tamperings[0].change(lines, 1112)
	_, computed, err := parseLine(bytes.TrimSpace(lines[1112]))
	require.NoError(t, err)
	record, _, err := parseLine(bytes.TrimSpace(original))
	require.NoError(t, err)
	_, err = check(nil, join(lines))
	assert.EqualError(t, err, "record 1,113 (2026-11-02T08:18:33Z, decision on prod/md-1-9f2c1a-0b1cx) was altered: digest "+
		short(computed.String())+", expected "+short(record.Digest)+" (in line 1113 of a)")
}
