package nutanixmachine

import (
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
)

func TestAbsence(t *testing.T) {
	const period = 3 * time.Minute
	type look struct {
		after time.Duration
		doubt string
	}
	no := func(after time.Duration) look { return look{after: after} }
	doubtful := func(after time.Duration) look { return look{after, "no other VM is shown"} }
	every := func(after time.Duration, count int, of func(time.Duration) look) (looks []look) {
		for range count {
			looks = append(looks, of(after))
		}
		return looks
	}
	tests := map[string]struct {
		looks []look
		want  verdict
	}{
		"never searched":                             {nil, searching},
		"one search":                                 {[]look{no(0)}, searching},
		"many searches in a moment":                  {every(time.Second, 100, no), searching},
		"two searches over the period":               {[]look{no(0), no(period)}, searching},
		"three searches over the period":             {[]look{no(0), no(period / 2), no(period / 2)}, confirmed},
		"three searches, a second too early":         {[]look{no(0), no(period / 2), no(period/2 - time.Second)}, searching},
		"a gap that is longer than the period":       {[]look{no(0), no(time.Minute), no(time.Hour)}, searching},
		"the period passes again after a gap":        {[]look{no(0), no(time.Minute), no(time.Hour), no(period / 2), no(period / 2)}, confirmed},
		"doubt in between":                           {[]look{no(0), no(period / 2), doubtful(time.Second), no(period / 2)}, searching},
		"the period passes again after a doubt":      {[]look{no(0), doubtful(period / 2), no(time.Second), no(period / 2), no(period / 2)}, confirmed},
		"doubt alone":                                {every(time.Minute, 29, doubtful), searching},
		"doubt for ten periods":                      {every(time.Minute, 31, doubtful), unproven},
		"two doubtful searches, ten periods apart":   {[]look{doubtful(0), doubtful(10 * period)}, searching},
		"confirmed, then searched for less often":    {[]look{no(0), no(period / 2), no(period / 2), no(time.Hour)}, confirmed},
		"confirmed, then doubt":                      {[]look{no(0), no(period / 2), no(period / 2), doubtful(time.Minute)}, searching},
		"confirmed, then doubt, then one more proof": {[]look{no(0), no(period / 2), no(period / 2), doubtful(time.Minute), no(time.Minute)}, searching},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			at, a := time.Now(), absence{}
			for _, look := range test.looks {
				at = at.Add(look.after)
				a = a.add(at, look.doubt, period)
			}
			assert.Equal(t, test.want, a.verdict(period))
		})
	}
}

// If a search runs once in every search interval, an absence is confirmed right after the absence period.
func TestSearchInterval(t *testing.T) {
	const period = 3 * time.Minute
	begin, a := time.Now(), absence{}
	at := begin
	for a.verdict(period) == searching {
		a = a.add(at, "", period)
		at = at.Add(a.searchInterval(period))
	}
	assert.Equal(t, period, a.last.Sub(begin))
	assert.Equal(t, minSearches+1, a.searches)
	assert.Equal(t, period, a.searchInterval(period), "a lost VM is searched for less often")
}

func TestAbsencesRecord(t *testing.T) {
	const period = time.Minute
	var all absences
	at := time.Now()
	says := func(key string, result found, err error) verdict {
		at = at.Add(period / 2)
		return all.record(key, result, err, at, period)
	}
	for range 2 {
		assert.Equal(t, searching, says("a", found{}, nil))
	}
	assert.Equal(t, searching, says("b", found{}, nil), "each machine has its own searches")
	assert.Equal(t, confirmed, says("a", found{}, nil))
	assert.Equal(t, confirmed, says("a", found{}, assert.AnError), "a failed search does not count")
	all.reset("a")
	assert.Equal(t, searching, says("a", found{}, nil), "the searches start again after a VM was found")
	all.with("a", func(s *searched) { s.deleted[vm1] = true })
	all.reset("a")
	all.with("a", func(s *searched) { assert.True(t, s.deleted[vm1], "accepted deletions are kept") })
	all.forget("a")
	all.with("a", func(s *searched) { assert.Empty(t, s.deleted) })
}
