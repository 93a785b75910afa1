package plan

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/capnt/capnt/internal/provider"
)

// Formats of the documents that the digests are made from. Another format gives every change another digest, so that all decisions are
// lost.
const (
	changeFormat = "capnt change 1"
	classFormat  = "capnt class 1"
)

// changeDocument is what changeDigest is made from. It identifies a change by its content, so it contains nothing that differs if the same
// change is planned again: no time, state, plan file or workspace.
type changeDocument struct {
	Format    string            `json:"format"`
	Target    string            `json:"target"`
	Kind      string            `json:"kind"`
	Destroy   bool              `json:"destroy"`
	Terraform string            `json:"terraform"`
	Provider  string            `json:"provider"`
	Changes   []json.RawMessage `json:"changes"`
}

// classDocument is what classDigest is made from. It is equal for the machines of one owner if they differ only in particular attributes.
type classDocument struct {
	Format    string `json:"format"`
	Namespace string `json:"namespace"`
	Cluster   string `json:"cluster"`
	// Owner is the owner of the machine, or the workspace key of a target without an owner, which is a class of its own.
	Owner     string            `json:"owner"`
	Kind      string            `json:"kind"`
	Cause     Cause             `json:"cause"`
	Destroy   bool              `json:"destroy"`
	Terraform string            `json:"terraform"`
	Provider  string            `json:"provider"`
	Changes   []json.RawMessage `json:"changes"`
}

// content is what a document contains of one change. The fields are those of detailed.
type content struct {
	Address         string      `json:"address"`
	PreviousAddress string      `json:"previousAddress,omitempty"`
	Actions         []Action    `json:"actions"`
	Planned         []string    `json:"planned,omitempty"`
	ReplacePaths    []string    `json:"replacePaths,omitempty"`
	ImportID        string      `json:"importID,omitempty"`
	Identity        []any       `json:"identity,omitempty"`
	More            []any       `json:"more,omitempty"`
	Values          []valuePair `json:"values,omitempty"`
}

// setDigests sets the digests of the record. changes must be complete, because a record contains only a part of a large plan.
func (r *Record) setDigests(changes []detailed) {
	r.ChangeDigest = documentDigest(changeDocument{
		Format: changeFormat, Target: r.Target.Key, Kind: r.Target.Kind, Destroy: r.Destroy,
		Terraform: r.TerraformVersion, Provider: r.ProviderVersion, Changes: contents(changes, detailed.content),
	})
	r.ClassDigest = documentDigest(classDocument{
		Format: classFormat, Namespace: r.Target.Namespace, Cluster: r.Source.Cluster, Owner: cmp.Or(r.Source.Owner, r.Target.Key),
		Kind: r.Target.Kind, Cause: r.Cause, Destroy: r.Destroy,
		Terraform: r.TerraformVersion, Provider: r.ProviderVersion, Changes: contents(changes, detailed.classContent),
	})
}

// contents returns the contents of all changes in a fixed order. Outputs that only report what Prism Central observes, or that are created or
// deleted with the resource whose attribute they repeat, are left out, unless the plan changes nothing else. Otherwise a machine that gets
// another address would change the digest of a plan that has to do with its memory, and an apply that creates outputs and then fails would
// change the digest of the rest.
func contents(changes []detailed, contentOf func(detailed) content) []json.RawMessage {
	follows := func(change detailed) bool {
		return change.Output() && (change.unlisted || change.generation.Observed(provider.Output, change.Address[len(outputPrefix):]))
	}
	alone := !slices.ContainsFunc(changes, func(change detailed) bool { return !follows(change) })
	encoded := []json.RawMessage{}
	for _, change := range changes {
		if alone || !follows(change) {
			encoded = append(encoded, encode(contentOf(change)))
		}
	}
	slices.SortFunc(encoded, func(a, b json.RawMessage) int { return bytes.Compare(a, b) })
	return encoded
}

// content returns the content of a change for changeDigest. If a planned value is known only after the apply, the present value is left
// out, because it can be metadata that differs at every plan.
func (d detailed) content() content {
	found := content{
		Address: d.Address, PreviousAddress: d.PreviousAddress, Actions: d.Actions, Planned: d.actions,
		ReplacePaths: slices.Sorted(slices.Values(d.ReplacePaths)), ImportID: d.ImportID,
		Identity: d.identity, More: d.more,
	}
	for _, value := range d.values {
		if value.whollyUnknown() {
			value.Before = nil
		}
		value.Before, value.After = withoutFingerprints(value.Before), withoutFingerprints(value.After)
		found.Values = append(found.Values, value)
	}
	return found
}

// classContent returns the content of a change for classDigest. It leaves out the particular attributes of a machine that is created or
// deleted. If an existing machine is changed, it leaves out only the values of these attributes, because a change that renames a machine
// is not in the class of changes that do not.
func (d detailed) classContent() content {
	found := d.content()
	found.ImportID, found.Identity = "", nil
	values := found.Values
	found.Values = nil
	if d.generation == nil {
		return found // the values of an edit of the state identify the resource
	}
	particular := func(path string) bool { return d.generation.Particular(d.kind, path) }
	for _, value := range values {
		if particular(value.Path) {
			value.Before, value.After = nil, nil
			if !d.Has(ActionUpdate) && !d.Has(ActionReplace) {
				value = valuePair{Path: ancestor(value.Path, particular)}
			}
		}
		value.Before, value.After = without(value.Before, value.Path, particular), without(value.After, value.Path, particular)
		if last := len(found.Values) - 1; value.Path != "" && (last < 0 || !reflect.DeepEqual(found.Values[last], value)) {
			found.Values = append(found.Values, value)
		}
	}
	return found
}

// ancestor returns the path of the list element or object that contains a particular attribute, or an empty string for an attribute of the
// resource itself. The number of disks belongs to a class, even if only their UUIDs are known.
func ancestor(path string, particular func(path string) bool) string {
	for path != "" && particular(path) {
		path = path[:max(strings.LastIndexAny(path, ".["), 0)]
	}
	return path
}

func documentDigest(document any) string { return "sha256:" + digest(encode(document)) }

// encode returns the canonical JSON form of a document: the members of objects are sorted, and structs have a fixed order.
func encode(document any) []byte {
	content, err := json.Marshal(document)
	if err != nil {
		panic("encoding a plan for its digest: " + err.Error()) // documents contain only JSON values
	}
	return content
}

func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}
