package audit

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"
)

// entry is what is kept of a record in order to verify the chain: about 300 bytes.
type entry struct {
	place
	seq   int64
	time  time.Time
	kind  Kind
	about string // what the record is about: the plan, the target or the decision
	term  string
	key   string // of the target
	// digest is the digest of the content, and claimed the digest that the record contains.
	digest, claimed            sum
	previous, previousOfTarget sum

	// pos is the number that the record must have because of its place in the chain.
	pos int64
	// next is the record after this one in the chain.
	next    *entry
	inChain bool
}

// intact reports whether the record contains the digest of its content.
func (e *entry) intact() bool { return e.digest == e.claimed }

// place is where a line was read.
type place struct {
	file string
	line int
	// after is the record before this line in the same file.
	after *entry
	// blank is the number of empty lines directly before this line.
	blank int
}

// unreadable is a line that is not a record.
type unreadable struct {
	place
	seq    int64 // the number with which the line begins, or 0
	digest sum
	// record is whether the line looks like a damaged record. torn is whether it is the beginning of a record at the end of a file, as
	// an interrupted write leaves it.
	record, torn bool
}

// loader reads records from several files.
type loader struct {
	entries    []*entry
	unreadable []*unreadable
	duplicates int

	known   map[[2]sum]bool
	strings map[string]string // one copy of strings that occur in many records
}

func newLoader() *loader {
	return &loader{known: map[[2]sum]bool{}, strings: map[string]string{}}
}

func (l *loader) loadFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("opening audit log: %w", err)
	}
	defer f.Close()
	return l.load(path, f)
}

func (l *loader) load(name string, r io.Reader) error {
	var last *entry
	blank := 0
	reader := bufio.NewReaderSize(r, 64<<10)
	for number := 1; ; number++ {
		line, err := reader.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("reading audit log %s: %w", name, err)
		}
		text, complete := bytes.CutSuffix(line, []byte("\n"))
		if len(text) == 0 {
			blank++
		} else {
			if e := l.add(text, complete, place{name, number, last, blank}); e != nil {
				last = e
			}
			blank = 0
		}
		if err != nil {
			return nil
		}
	}
}

// add adds a line. It returns the record in the line, or nil.
func (l *loader) add(line []byte, complete bool, at place) *entry {
	e, err := l.parse(line)
	if err != nil {
		l.unreadable = append(l.unreadable, newUnreadable(line, complete, at))
		return nil
	}
	if digests := [2]sum{e.digest, e.claimed}; l.known[digests] {
		l.duplicates++
		return nil
	} else {
		l.known[digests] = true
	}
	e.place = at
	l.entries = append(l.entries, e)
	return e
}

func (l *loader) parse(line []byte) (*entry, error) {
	r, computed, err := parseLine(line)
	if err != nil {
		return nil, err
	}
	e := &entry{
		seq: r.Seq, time: r.Time, kind: Kind(l.intern(string(r.Kind))), about: l.intern(r.about()), term: l.intern(r.Term), key: l.intern(r.Target.Key),
		digest: computed,
	}
	var errs [3]error
	e.claimed, errs[0] = parseSum(r.Digest)
	e.previous, errs[1] = parseSum(r.Previous)
	e.previousOfTarget, errs[2] = parseSum(r.PreviousOfTarget)
	return e, errors.Join(errs[:]...)
}

func (l *loader) intern(s string) string {
	if known, ok := l.strings[s]; ok {
		return known
	}
	l.strings[s] = s
	return s
}

func newUnreadable(line []byte, complete bool, at place) *unreadable {
	u := &unreadable{place: at, digest: sha256.Sum256(line)}
	digits, isRecord := bytes.CutPrefix(line, []byte(`{"seq":`))
	if end := bytes.IndexByte(digits, ','); isRecord && end > 0 {
		u.seq, _ = strconv.ParseInt(string(digits[:end]), 10, 64) // 0 if it is not a number
	}
	_, digest, hasDigest := bytes.Cut(line, []byte(digestField))
	u.record = isRecord || hasDigest
	u.torn = isRecord && !complete && len(digest) <= 2*sha256.Size+1
	return u
}
