package audit

import (
	"cmp"
	"fmt"
	"slices"
)

// checkLinks checks that each record of the chain has the content, the number and the successor with which it was written.
func (c *chain) checkLinks() {
	for _, e := range c.entries {
		switch {
		case !e.intact() && c.expected(e.pos) == e.digest:
			c.problem(Altered, e.pos, e, e.claimed, e.digest, "")
		case !e.intact():
			c.problem(Altered, e.pos, e, e.digest, e.claimed, "")
		case e.seq != e.pos:
			c.problem(Altered, e.pos, e, sum{}, sum{}, fmt.Sprintf("its number is %d", e.seq))
		}
	}
	for _, g := range c.gaps {
		c.checkGap(g)
	}
	if len(c.entries) == 0 {
		return
	}
	if first := c.entries[0]; first.intact() && (first.pos == 1) != (first.previous == sum{}) {
		c.problem(Altered, first.pos, first, sum{}, sum{}, "only the first record has no previous record")
	}
}

// checkGap finds out whether a record is missing between two records, or whether the lower one is not what it was.
func (c *chain) checkGap(g gap) {
	from, to := g.below.pos+1, g.above.pos-1
	switch {
	case from > to && g.above.intact():
		c.problem(Altered, g.below.pos, g.below, g.below.digest, g.above.previous, "")
	case from > to: // the upper record is altered and therefore names another record before it
	case c.damagedIn(g) != nil:
		u := c.damagedIn(g)
		c.problem(Altered, from, &entry{place: u.place}, u.digest, c.expected(from), "the line is not a record")
	case c.alteredAt(from): // checkRest reports it
	default:
		missing := &TamperError{Problem: Dropped, Seq: from, Last: to, File: g.below.file, Line: g.below.line}
		if from == to {
			missing.Expected = g.above.previous.String()
		}
		c.problems = append(c.problems, missing)
	}
}

// damagedIn returns the line after the lower or before the upper record if it is not a record.
func (c *chain) damagedIn(g gap) *unreadable {
	for _, u := range c.loader.unreadable {
		if u.follows(g.below) || u.file == g.above.file && u.line == g.above.line-1-g.above.blank && u.after == nil {
			return u
		}
	}
	return nil
}

// follows reports whether the line is directly after the record e. Only empty lines may be between them.
func (u *unreadable) follows(e *entry) bool { return u.after == e && u.line == e.line+1+u.blank }

// alteredAt reports whether there is an altered record outside of the chain whose place is pos.
func (c *chain) alteredAt(pos int64) bool {
	return slices.ContainsFunc(c.loader.entries, func(e *entry) bool { return !e.inChain && !e.intact() && c.posOf(e) == pos })
}

// posOf returns the number of a record outside of the chain.
func (c *chain) posOf(e *entry) int64 {
	if previous := c.byDigest[e.previous]; previous != nil && previous.inChain {
		return previous.pos + 1
	}
	return e.seq
}

// checkRest checks the records outside of the chain.
func (c *chain) checkRest() {
	var rest []*entry
	for _, e := range c.loader.entries {
		switch {
		case e.inChain:
		case e.intact():
			rest = append(rest, e)
		default:
			c.problem(Altered, c.posOf(e), e, e.digest, e.claimed, "")
		}
	}
	slices.SortStableFunc(rest, func(a, b *entry) int { return cmp.Compare(a.seq, b.seq) })
	branches := map[*entry]branch{}
	for _, e := range rest {
		b, ok := c.branch(e, branches)
		if !ok {
			c.problem(Inserted, e.seq, e, e.digest, c.expected(e.seq), "the chain does not contain it")
			continue
		}
		branches[e] = b
		c.unacknowledged = append(c.unacknowledged, e)
	}
}

// branch describes records outside of the chain that follow each other. A leader that was overtaken leaves such a branch behind.
type branch struct {
	root   *entry // the record of the chain that the branch follows, or nil if it is not in the files
	next   *entry // the record of the chain that follows root
	length int64
}

// branch returns the branch of e, and whether a leader can have left it behind: at this place of the chain another leader began, and e is in
// the one batch that the leader before could still write. Records after the end of the chain are always accepted.
func (c *chain) branch(e *entry, known map[*entry]branch) (branch, bool) {
	previous := c.byDigest[e.previous]
	var b branch
	switch {
	case previous != nil && previous.inChain:
		b = branch{root: previous, next: previous.next, length: 1}
		if e.seq != previous.pos+1 {
			return b, false
		}
	case previous != nil:
		parent, ok := known[previous]
		b = branch{root: parent.root, next: parent.next, length: parent.length + 1}
		if !ok || e.seq != previous.seq+1 || b.next != nil && e.term != previous.term {
			return b, false
		}
	case len(c.entries) > 0 && e.previous == c.entries[0].previous && e.seq == c.entries[0].pos:
		b = branch{next: c.entries[0], length: 1}
	case len(c.entries) == 0 && e.previous == sum{} && e.seq == 1: // the first leader has not yet acknowledged a record
		b = branch{length: 1}
	default:
		return b, false
	}
	switch {
	case b.next == nil:
		return b, b.root != nil || b.length <= maxBatch
	case b.root != nil && b.root.term == b.next.term:
		return b, false
	}
	return b, e.term != b.next.term && b.length <= maxBatch
}

// checkTargets checks that each record of the chain names the last record of its target. After another leader began, a record may name the
// record before it instead.
func (c *chain) checkTargets() {
	last := map[string]*entry{}
	var leader *entry // the first record of the current leader
	for i, e := range c.entries {
		if i == 0 || e.term != c.entries[i-1].term {
			leader = e
		}
		if e.intact() && !c.namesTarget(e, last[e.key], leader) {
			c.problem(Altered, e.pos, e, sum{}, sum{}, "it does not name the last record of its target")
		}
		last[e.key] = e
	}
}

func (c *chain) namesTarget(e, last, leader *entry) bool {
	switch {
	case e.key == "":
		return e.previousOfTarget == sum{}
	case last == nil && c.entries[0].pos > 1: // the last record of the target may not be in the files
		return true
	case last != nil && (e.previousOfTarget == last.digest || e.previousOfTarget == last.claimed):
		return true
	}
	return e.previousOfTarget == e.previous && (last == nil || last.pos < leader.pos)
}

// checkOrder checks that the records of the chain are in each file in the order of the chain.
func (c *chain) checkOrder() {
	files := map[string][]*entry{}
	for _, e := range c.loader.entries {
		if e.inChain {
			files[e.file] = append(files[e.file], e)
		}
	}
	for _, found := range files {
		ordered := slices.SortedStableFunc(slices.Values(found), func(a, b *entry) int { return cmp.Compare(a.pos, b.pos) })
		for i, e := range ordered {
			if e != found[i] {
				c.problem(Reordered, e.pos, e, sum{}, sum{}, fmt.Sprintf("it belongs before record %d", found[i].pos))
				break
			}
		}
	}
}

// checkUnreadable reports lines that were records. An incomplete record at the end of a file is accepted: an interrupted write left it
// behind, and it was never acknowledged.
func (c *chain) checkUnreadable() {
	for _, u := range c.loader.unreadable {
		if !u.record || u.torn {
			continue
		}
		pos := c.posOfLine(u)
		c.problem(Altered, pos, &entry{place: u.place}, u.digest, c.expected(pos), "the line is not a record")
	}
}

func (c *chain) posOfLine(u *unreadable) int64 {
	switch {
	case u.after != nil && u.after.inChain:
		return u.after.pos + 1
	case u.seq > 0:
		return u.seq
	}
	for _, e := range c.entries {
		if e.file == u.file && e.line > u.line {
			return e.pos - 1
		}
	}
	return 1
}
