package terraform

// headLimit and tailLimit bound what is kept of a command's error output, in bytes: the first errors and the last.
const (
	headLimit = 48 << 10
	tailLimit = 16 << 10
)

// tail keeps the beginning and the end of what is written to it.
type tail struct {
	head []byte
	last []byte
}

func (t *tail) Write(p []byte) (int, error) {
	n := len(p)
	if room := headLimit - len(t.head); room > 0 {
		take := min(room, len(p))
		t.head = append(t.head, p[:take]...)
		p = p[take:]
	}
	t.last = append(t.last, p...)
	if over := len(t.last) - tailLimit; over > 0 {
		t.last = append(t.last[:0], t.last[over:]...)
	}
	return n, nil
}

// String returns what was kept.
func (t *tail) String() string { return string(t.head) + string(t.last) }

// Reset forgets everything.
func (t *tail) Reset() { t.head, t.last = t.head[:0], t.last[:0] }
