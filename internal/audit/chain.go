package audit

import (
	"cmp"
	"fmt"
	"slices"
)

// chain is the chain of records that leads to the head or, without a head, to the last record.
type chain struct {
	loader   *loader
	byDigest map[sum]*entry // by digest and by claimed digest

	// top follows the record that the head names. It is nil if there is no head.
	top     *entry
	entries []*entry // ascending
	gaps    []gap
	// unacknowledged are the records outside of the chain that a leader may have left behind.
	unacknowledged []*entry
	problems       []*TamperError
}

// gap is a place where the record above does not contain the digest of the record below.
type gap struct{ below, above *entry }

// assemble links the records from the last to the first. Where a link is missing, it continues at the next lower number.
func (c *chain) assemble(head *Head) error {
	c.index()
	rest := c.intact()
	var current *entry
	switch {
	case head == nil:
		if current = last(rest); current != nil {
			current.pos = current.seq
		}
	case head.Seq > 0: // otherwise there is no record in the chain
		digest, err := parseSum(head.Digest)
		if err != nil {
			return fmt.Errorf("reading the head of the audit trail: %w", err)
		}
		c.top = &entry{pos: head.Seq + 1, previous: digest}
		if current, rest = c.below(c.top, rest); current == nil {
			c.problems = append(c.problems, &TamperError{Problem: Dropped, Seq: 1, Last: head.Seq})
		}
	}
	for current != nil {
		current.inChain = true
		c.entries = append(c.entries, current)
		below, remaining := c.below(current, rest)
		if below != nil {
			below.next = current
		}
		current, rest = below, remaining
	}
	slices.Reverse(c.entries)
	return nil
}

func (c *chain) index() {
	for _, e := range c.loader.entries {
		if e.intact() {
			c.byDigest[e.digest] = e
		}
	}
	for _, e := range c.loader.entries {
		for _, digest := range []sum{e.digest, e.claimed} {
			if c.byDigest[digest] == nil {
				c.byDigest[digest] = e
			}
		}
	}
}

// intact returns the intact records, the highest number first.
func (c *chain) intact() []*entry {
	var intact []*entry
	for _, e := range c.loader.entries {
		if e.intact() {
			intact = append(intact, e)
		}
	}
	slices.SortStableFunc(intact, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(b.seq, a.seq), b.time.Compare(a.time))
	})
	return intact
}

// last returns the end of the chain if there is no head. It is one of the records without a successor: the latest of those that can be the
// last batches of two leaders, otherwise the one with the highest number.
func last(intact []*entry) *entry {
	followed := map[sum]bool{}
	for _, e := range intact {
		followed[e.previous] = true
	}
	var last *entry
	for _, e := range intact {
		if last != nil && intact[0].seq-e.seq > maxBatch {
			break
		}
		if !followed[e.digest] && (last == nil || e.term != last.term && e.time.After(last.time)) {
			last = e
		}
	}
	return last
}

// below returns the record before above, and the intact records that may be further below. It returns nil if above is the first record.
func (c *chain) below(above *entry, rest []*entry) (*entry, []*entry) {
	if e := c.byDigest[above.previous]; e != nil && !e.inChain {
		e.pos = above.pos - 1
		return e, rest
	}
	for len(rest) > 0 && (rest[0].inChain || rest[0].seq >= above.pos) {
		rest = rest[1:]
	}
	if len(rest) == 0 {
		return nil, nil
	}
	e := rest[0]
	e.pos = e.seq
	c.gaps = append(c.gaps, gap{e, above})
	return e, rest
}

// at returns the record of the chain with the number pos, or nil.
func (c *chain) at(pos int64) *entry {
	i, found := slices.BinarySearchFunc(c.entries, pos, func(e *entry, pos int64) int { return cmp.Compare(e.pos, pos) })
	if !found {
		return nil
	}
	return c.entries[i]
}

// expected returns the digest that the record with the number pos must have, as far as it is known.
func (c *chain) expected(pos int64) sum {
	switch above, e := c.at(pos+1), c.at(pos); {
	case c.top != nil && c.top.pos == pos+1:
		return c.top.previous
	case above != nil:
		return above.previous
	case e != nil:
		return e.claimed
	}
	return sum{}
}

// problem adds a problem of the record e, which must have the number seq.
func (c *chain) problem(problem Problem, seq int64, e *entry, found, expected sum, detail string) {
	c.problems = append(c.problems, &TamperError{
		Problem: problem, Seq: seq, Time: e.time, Kind: e.kind, About: e.about, Found: found.String(), Expected: expected.String(),
		File: e.file, Line: e.line, Detail: detail,
	})
}

// String returns the place as "<file>:<line>".
func (p place) String() string { return fmt.Sprintf("%s:%d", p.file, p.line) }
