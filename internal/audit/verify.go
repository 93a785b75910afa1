package audit

import (
	"cmp"
	"io"
	"slices"
	"time"
)

// Report describes an audit trail in which Verify found no problem.
type Report struct {
	// Records is the number of records in the chain.
	Records int
	// FirstSeq and LastSeq are the numbers of the first and the last record. If FirstSeq is greater than 1, the earlier records are not in
	// the files, for example because rotated files were removed.
	FirstSeq, LastSeq int64
	// From and To are the times of the first and the last record.
	From, To time.Time
	// Head is the digest of the last record.
	Head string
	// HeadVerified reports whether the last record is the one that the head of the cluster names.
	HeadVerified bool
	// Unacknowledged is the number of records that are not in the chain because their leader ended or was overtaken before they were
	// acknowledged, and of records that follow the head. What they announce did not happen, unless a later record says so.
	Unacknowledged int
	// UnacknowledgedAt are the places of these records, at most 100, as "<file>:<line>".
	UnacknowledgedAt []string
	// Duplicates is the number of exact copies of records.
	Duplicates int
	// OtherLines is the number of lines that are not records, and of incomplete records at the end of a file.
	OtherLines int
}

// Source is a file of the audit trail.
type Source struct {
	Name   string
	Reader io.Reader
}

// VerifyFiles is Verify for files.
func VerifyFiles(paths []string, head *Head) (*Report, error) {
	loader := newLoader()
	for _, path := range paths {
		if err := loader.loadFile(path); err != nil {
			return nil, err
		}
	}
	return verify(loader, head)
}

// Verify proves that sources contain an unbroken chain of records, in which no record was altered, dropped, inserted or moved. The sources
// are the files of all managers, rotated files included, in any order. If they do not begin with the first record, the chain is proved
// from the first record that they contain. The returned error is a TamperError, or an error of a Reader.
//
// With a head, which ReadHead returns, Verify also proves that no record is missing at the end. Without a head this cannot be proved.
//
// In each file, the records must be in the order in which they were written. A record may exist several times. A record outside of the
// chain is accepted where another leader began, because a leader that was overtaken may have written one batch that was never acknowledged.
func Verify(sources []Source, head *Head) (*Report, error) {
	loader := newLoader()
	for _, source := range sources {
		if err := loader.load(source.Name, source.Reader); err != nil {
			return nil, err
		}
	}
	return verify(loader, head)
}

func verify(loaded *loader, head *Head) (*Report, error) {
	c := &chain{loader: loaded, byDigest: map[sum]*entry{}}
	if err := c.assemble(head); err != nil {
		return nil, err
	}
	c.checkLinks()
	c.checkRest()
	c.checkTargets()
	c.checkOrder()
	c.checkUnreadable()
	if len(c.problems) > 0 {
		return nil, slices.MinFunc(c.problems, func(a, b *TamperError) int { return cmp.Compare(a.Seq, b.Seq) })
	}
	return c.report(head), nil
}

func (c *chain) report(head *Head) *Report {
	r := &Report{Records: len(c.entries), Unacknowledged: len(c.unacknowledged), Duplicates: c.loader.duplicates, OtherLines: len(c.loader.unreadable)}
	for _, e := range c.unacknowledged[:min(len(c.unacknowledged), 100)] {
		r.UnacknowledgedAt = append(r.UnacknowledgedAt, e.String())
	}
	if len(c.entries) > 0 {
		first, last := c.entries[0], c.entries[len(c.entries)-1]
		r.FirstSeq, r.LastSeq, r.From, r.To, r.Head = first.seq, last.seq, first.time, last.time, last.digest.String()
	}
	r.HeadVerified = head != nil && head.Digest == r.Head
	return r
}
