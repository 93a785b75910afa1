package audit

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestVerifyReportsUnacknowledgedRecords(t *testing.T) {
	for name, test := range map[string]struct {
		batch, later int  // records that the overtaken leader wrote in vain, and of the leader after it
		noHead       bool // whether there is no head
	}{
		"one record":                        {batch: 1, later: 20},
		"batch":                             {batch: 60, later: 20},
		"batch without head":                {batch: 60, later: 20, noHead: true},
		"longer than the rest of the chain": {batch: 60, later: 1, noHead: true},
		"next leader has written nothing":   {batch: 5},
	} {
		t.Run(name, func(t *testing.T) {
			tr := newTrail(t)
			first := tr.add(30)
			lost := tr.fork("lease/1/a").add(test.batch)
			tr.lead("lease/2/b")
			later := tr.add(test.later)
			head := tr.head()
			if test.noHead {
				head = nil
			}
			report, err := check(head, join(first, lost), join(later))
			require.NoError(t, err)
			assert.Equal(t, 30+test.later, report.Records)
			assert.Equal(t, test.batch, report.Unacknowledged)
			assert.Equal(t, "a:31", report.UnacknowledgedAt[0])
			assert.Equal(t, tr.head().Digest, report.Head)
		})
	}
}

func TestVerifyReportsUnacknowledgedFirstRecords(t *testing.T) {
	tr := newTrail(t)
	lost := tr.fork("lease/1/a").add(2)
	tr.lead("lease/2/b")
	report, err := check(tr.head(), join(lost))
	require.NoError(t, err)
	assert.Equal(t, 2, report.Unacknowledged)
	assert.Zero(t, report.Records)
	assert.True(t, report.HeadVerified)

	report, err = check(nil, join(lost), join(tr.add(3)))
	require.NoError(t, err)
	assert.Equal(t, 2, report.Unacknowledged)
	assert.Equal(t, 3, report.Records)
}

func TestVerifyRejectsRecordsIfHeadWasReset(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(maxBatch + 1)
	_, err := check(&Head{}, join(lines))
	require.ErrorContains(t, err, "record 129 (2026-11-02T08:02:09Z, apply on prod/md-8-9f2c1a-0b1c) was inserted: the chain does not contain it")
	_, err = check(&Head{}, join(lines[5:]))
	require.ErrorContains(t, err, "record 6 ")
}

func TestVerifyReportsRecordsAfterHead(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(10)
	head := tr.head()
	lines = append(lines, tr.add(200)...)
	report, err := check(head, join(lines))
	require.NoError(t, err)
	assert.Equal(t, 10, report.Records)
	assert.Equal(t, 200, report.Unacknowledged)
	assert.Len(t, report.UnacknowledgedAt, 100)
	assert.True(t, report.HeadVerified)
}

func TestVerifyAcceptsLeaderThatComesBackToItsFile(t *testing.T) {
	tr := newTrail(t)
	a := join(tr.add(10))
	a = append(a, join(tr.fork("lease/1/a").add(3))...)
	tr.lead("lease/2/b")
	b := join(tr.add(1))
	tr.lead("lease/3/a")
	a = append(a, join(tr.add(5))...)
	report, err := check(tr.head(), a, b)
	require.NoError(t, err)
	assert.Equal(t, 16, report.Records)
	assert.Equal(t, 3, report.Unacknowledged)
}

func TestVerifyRejectsBranches(t *testing.T) {
	tr := newTrail(t)
	first := tr.add(30)
	foreign := tr.fork("lease/1/a").add(maxBatch + 1)
	before := tr.fork("lease/2/b").add(1)
	mixed := tr.fork("lease/1/a")
	twoTerms := mixed.add(1)
	mixed.lead("lease/9/x")
	twoTerms = append(twoTerms, mixed.add(1)...)
	tr.lead("lease/2/b")
	later := tr.add(20)
	inTerm := tr.fork("lease/2/b")
	later = append(later, tr.add(200)...)
	unknown := newTrail(t)
	unknown.add(100)

	for name, test := range map[string]struct {
		lines [][]byte
		seq   int64
	}{
		"larger than a batch":              {foreign, 31 + maxBatch},
		"by the leader that followed":      {before, 31},
		"by two leaders":                   {twoTerms, 32},
		"where no other leader began":      {inTerm.add(1), 51},
		"after a record that is not there": {unknown.add(1), 101},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := check(tr.head(), join(first, later), join(test.lines))
			var named *TamperError
			require.ErrorAs(t, err, &named)
			assert.Equal(t, Inserted, named.Problem)
			assert.Equal(t, test.seq, named.Seq)
		})
	}
}

func TestVerifyRejectsForgottenTargetWithinTerm(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(20)
	tr.lead("lease/1/a") // the same term
	lines = append(lines, tr.add(1)...)
	_, err := check(tr.head(), join(lines))
	require.NoError(t, err, "the target of record 21 is new")
	tr.count = 1
	lines = append(lines, tr.add(1)...)
	_, err = check(tr.head(), join(lines))
	require.ErrorContains(t, err, "it does not name the last record of its target")
}

func TestVerifyAcceptsIncompleteRecordAtTheEnd(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(10)
	torn := tr.fork("lease/1/a").add(1)[0]
	tr.lead("lease/2/b")
	later := tr.add(5)
	for length := 1; length < len(torn)-1; length += 7 {
		report, err := check(tr.head(), append(join(lines), torn[:length]...), join(later))
		require.NoError(t, err, "%d bytes", length)
		require.Equal(t, 15, report.Records)
		require.Equal(t, 1, report.OtherLines)
	}
}

func TestVerifyCountsLinesOfOthers(t *testing.T) {
	tr := newTrail(t)
	lines := tr.add(10)
	lines[4] = append([]byte("I1102 a log message\n\n"), lines[4]...)
	report, err := check(tr.head(), join(lines))
	require.NoError(t, err)
	assert.Equal(t, 10, report.Records)
	assert.Equal(t, 1, report.OtherLines)
}

// TestLineCanBeVerifiedWithOtherTools documents what the digest covers: the line without the digest field.
func TestLineCanBeVerifiedWithOtherTools(t *testing.T) {
	line := newTrail(t).add(3)[2]
	record, digest, err := parseLine(bytes.TrimSpace(line))
	require.NoError(t, err)
	assert.Equal(t, record.Digest, digest.String())
	assert.Equal(t, string(line[:len(line)-len(`,"digest":"`)-len(record.Digest)-len("\"}\n")])+`,"digest":"`+record.Digest+"\"}\n", string(line))
	assert.Contains(t, string(line), `{"seq":3,"time":"2026-11-02T08:00:03Z","kind":"Decision","plan":"prod/md-0-9f2c1a-0b1c","target":{"kind":"NutanixMachine",`)
	assert.Contains(t, string(line), `"by":{"username":"platform-admin@example.com","groups":["platform"]},"reason":"CHG-4711, <back> & \"forth\" – größer"`)
}
