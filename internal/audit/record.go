// Package audit writes and verifies the audit trail: one JSON line for each plan, policy verdict, decision, apply and result.
//
// Each record contains the digest of the record before it, so the records form a chain. The leader appends records to its sinks and then
// writes the digest of the last record, the head, into a ConfigMap in the API server. A record is acknowledged when the head includes it.
// The files of all managers together contain the whole chain, which Verify proves.
package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Kind says what a record is about.
type Kind string

const (
	// Plan is the record of a new plan.
	Plan Kind = "Plan"
	// Policy is the record of a verdict of a policy.
	Policy Kind = "Policy"
	// Decision is the record of an approval or a denial by a user.
	Decision Kind = "Decision"
	// Apply is the record of the start of an apply.
	Apply Kind = "Apply"
	// Result is the record of how an apply ended.
	Result Kind = "Result"
)

// Record is one line of the audit trail. It has no field for attribute values, so that it contains no secrets. The caller of Append sets
// the fields from Kind to Message, and Append sets the others.
//
// The line of a record is its JSON encoding: fields in the order below, empty fields left out, no white space, and digest as the last field.
type Record struct {
	// Seq numbers the records without gaps, beginning with 1.
	Seq int64 `json:"seq"`
	// Time is when the record was written, in UTC with milliseconds.
	Time time.Time `json:"time"`
	// Kind says what the record is about.
	Kind Kind `json:"kind"`
	// Plan is "<namespace>/<name>" of the NutanixPlan.
	Plan string `json:"plan,omitempty"`
	// Source is the object that contains the decision or the policy, for example "NutanixPlanDecision/prod/chg-4711".
	Source string `json:"source,omitempty"`
	// Target is the object whose infrastructure the plan changes.
	Target Target `json:"target,omitzero"`
	// Cause and Disruption are those of the plan.
	Cause      string `json:"cause,omitempty"`
	Disruption string `json:"disruption,omitempty"`
	// ChangeDigest and ClassDigest are the digests of the plan: "sha256:" and 64 hex digits.
	ChangeDigest string `json:"changeDigest,omitempty"`
	ClassDigest  string `json:"classDigest,omitempty"`
	// FileSHA256 is the SHA-256 of the plan file: 64 hex digits.
	FileSHA256 string `json:"fileSHA256,omitempty"`
	// State is the Terraform state from which the plan was made or, in a Result, the state after the apply.
	State State `json:"state,omitzero"`
	// Verdict is what the user or the policy decided, or how the apply ended, for example "Approved", "RequireApproval" or "Applied".
	Verdict string `json:"verdict,omitempty"`
	// By is the user who decided, or the author of the change.
	By User `json:"by,omitzero"`
	// Reason is the reason that the user gave, cut to 1,024 bytes.
	Reason string `json:"reason,omitempty"`
	// ExpiresAt is the time until which a decision counts, in UTC. MaxUses is how often it counts for each of its digests; 0 means the default.
	ExpiresAt time.Time `json:"expiresAt,omitzero"`
	MaxUses   int32     `json:"maxUses,omitempty"`
	// Revision is the Git revision of the change or of the decision, if it is known.
	Revision string `json:"revision,omitempty"`
	// Message explains the verdict, cut to 4,096 bytes.
	Message string `json:"message,omitempty"`

	// Term identifies the leader that wrote the record.
	Term string `json:"term"`
	// Previous is the digest of the record before. It is empty in the first record.
	Previous string `json:"previous,omitempty"`
	// PreviousOfTarget is the digest of the last record of the same target. If the leader that wrote the record does not know that record,
	// PreviousOfTarget is equal to Previous. It is empty if the record has no target.
	PreviousOfTarget string `json:"previousOfTarget,omitempty"`
	// Digest is "sha256:" and the SHA-256, in hex digits, of the line without this field.
	Digest string `json:"digest,omitempty"`
}

// about returns what the record is about: the plan or, if there is none, the target or the decision.
func (r *Record) about() string {
	switch {
	case r.Plan != "":
		return r.Plan
	case r.Target.Name != "":
		return r.Target.Kind + "/" + r.Target.Namespace + "/" + r.Target.Name
	}
	return r.Source
}

// Target identifies the object whose infrastructure a plan changes.
type Target struct {
	Kind      string `json:"kind,omitempty"`
	Namespace string `json:"namespace,omitempty"`
	Name      string `json:"name,omitempty"`
	// Key is the workspace key of the object. It identifies the target in the audit trail.
	Key string `json:"key,omitempty"`
	// VMUUID is the UUID of the virtual machine, if there is one.
	VMUUID string `json:"vmUUID,omitempty"`
}

// State identifies a Terraform state.
type State struct {
	Lineage string `json:"lineage,omitempty"`
	Serial  int64  `json:"serial,omitempty"`
}

// User identifies a user of the Kubernetes API.
type User struct {
	Username string   `json:"username,omitempty"`
	Groups   []string `json:"groups,omitempty"`
}

// IsZero reports whether u identifies no user.
func (u User) IsZero() bool { return u.Username == "" && len(u.Groups) == 0 }

// Limits of fields whose length depends on users: bytes of a text or a name, and number of groups.
const (
	maxReason  = 1 << 10
	maxMessage = 4 << 10
	maxName    = 1 << 10
	maxGroups  = 64
)

// digestPrefix is the beginning of every digest, and digestField is what is between the content of a line and its digest.
const (
	digestPrefix = "sha256:"
	digestField  = `,"digest":"` + digestPrefix
)

// sum is a SHA-256. The zero value means that there is none.
type sum [sha256.Size]byte

// String returns the digest as it is written in records.
func (s sum) String() string {
	if s == (sum{}) {
		return ""
	}
	return digestPrefix + hex.EncodeToString(s[:])
}

func parseSum(digest string) (sum, error) {
	var s sum
	if digest == "" {
		return s, nil
	}
	digits, ok := strings.CutPrefix(digest, digestPrefix)
	if !ok || len(digits) != hex.EncodedLen(len(s)) || digits != strings.ToLower(digits) {
		return s, fmt.Errorf("parsing digest %.80q: it is not %s and 64 hex digits", digest, digestPrefix)
	}
	if _, err := hex.Decode(s[:], []byte(digits)); err != nil {
		return s, fmt.Errorf("parsing digest %q: %w", digest, err)
	}
	return s, nil
}

// line encodes the record, sets its digest and returns the line with the newline.
func (r *Record) line() ([]byte, sum, error) {
	r.Digest = ""
	r.shorten()
	var line bytes.Buffer
	encoder := json.NewEncoder(&line)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(r); err != nil {
		return nil, sum{}, fmt.Errorf("encoding the audit record of %s: %w", r.Plan, err)
	}
	content := bytes.TrimSuffix(line.Bytes(), []byte("\n"))
	digest := sum(sha256.Sum256(content))
	r.Digest = digest.String()
	return fmt.Appendf(content[:len(content)-1], "%s%x\"}\n", digestField, digest[:]), digest, nil
}

// shorten cuts the fields whose length depends on users, so that a batch of records fits into a file.
func (r *Record) shorten() {
	r.Reason, r.Message = prefix(r.Reason, maxReason), prefix(r.Message, maxMessage)
	r.By.Username = prefix(r.By.Username, maxName)
	groups := r.By.Groups[:min(len(r.By.Groups), maxGroups)]
	r.By.Groups = nil
	for _, group := range groups {
		r.By.Groups = append(r.By.Groups, prefix(group, maxName))
	}
}

// prefix returns the first bytes of s, at most limit, and cuts no character.
func prefix(s string, limit int) string { return strings.ToValidUTF8(s[:min(len(s), limit)], "") }

// parseLine decodes a line without its newline. computed is the digest of what the line contains; it differs from r.Digest if the line was
// altered.
func parseLine(line []byte) (r *Record, computed sum, err error) {
	end := len(line) - len(digestField) - 2*sha256.Size - len(`"}`)
	if end < 0 || !bytes.HasPrefix(line[end:], []byte(digestField)) {
		return nil, sum{}, fmt.Errorf("parsing an audit record: the line does not end with a digest")
	}
	r = &Record{}
	if err := json.Unmarshal(line, r); err != nil {
		return nil, sum{}, fmt.Errorf("parsing an audit record: %w", err)
	}
	content := sha256.New()
	content.Write(line[:end])
	content.Write([]byte("}"))
	return r, sum(content.Sum(nil)), nil
}
