package renderer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// digestVersion is the version of the digest algorithm. It must be increased if a change results in another digest for the same inputs. A
// digest without a version was computed by CAPNT 0.1, which hashed the rendered files.
const digestVersion = "v2"

// digestInputs contains all inputs of a workspace. Exactly one of Machine and Cluster is set.
type digestInputs struct {
	Settings Settings `json:"settings"`
	Machine  *Machine `json:"machine,omitempty"`
	Cluster  *Cluster `json:"cluster,omitempty"`
}

// digest returns the digest of the inputs: the version, a colon, and the SHA-256 of the JSON form of the inputs in hex. The files of the
// module and the layout of the rendered files are not hashed. Therefore different releases of CAPNT compute the same digest for the same
// inputs.
func digest(inputs digestInputs) (string, error) {
	if inputs.Machine != nil {
		machine := withoutNames(*inputs.Machine)
		machine.CategoryRefs = sortedRefs(machine.CategoryRefs)
		inputs.Machine = &machine
	}
	if inputs.Settings.API == APIV3 {
		inputs.Settings.API = "" // inputs without an API have the same digest
	}
	content, err := json.Marshal(inputs)
	if err != nil {
		return "", fmt.Errorf("hashing workspace inputs: %w", err)
	}
	sum := sha256.Sum256(content)
	return digestVersion + ":" + hex.EncodeToString(sum[:]), nil
}

// DigestIsCurrent reports whether a digest has the version that this package computes. Digests of different versions differ even if their
// inputs are equal, so they cannot be compared.
func DigestIsCurrent(digest string) bool {
	return strings.HasPrefix(digest, digestVersion+":")
}

// withoutNames removes the names of Prism entities from the inputs, because the names are written only to comments.
func withoutNames(machine Machine) Machine {
	unnamed := func(ref *Ref) *Ref {
		if ref == nil {
			return nil
		}
		return &Ref{UUID: ref.UUID}
	}
	machine.PrismElement.Name = ""
	machine.Project = unnamed(machine.Project)
	machine.Subnets, machine.CategoryRefs = slices.Clone(machine.Subnets), slices.Clone(machine.CategoryRefs)
	for _, refs := range [][]Ref{machine.Subnets, machine.CategoryRefs} {
		for i := range refs {
			refs[i].Name = ""
		}
	}
	machine.Disks = slices.Clone(machine.Disks)
	for i := range machine.Disks {
		disk := &machine.Disks[i]
		disk.Image, disk.StorageContainer = unnamed(disk.Image), unnamed(disk.StorageContainer)
	}
	machine.GPUs = slices.Clone(machine.GPUs)
	for i := range machine.GPUs {
		machine.GPUs[i].Name = ""
	}
	return machine
}

// InitKey returns a key of the files that the result of terraform init depends on: the backend, the required versions and the modules.
// Every root module calls exactly the modules that it contains.
func InitKey(files map[string][]byte) string {
	hash := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if name != backendFileName && name != versionsFileName && !strings.HasPrefix(name, moduleDir+"/") {
			continue
		}
		fmt.Fprintf(hash, "%s\n%d\n%s", name, len(files[name]), files[name])
	}
	return hex.EncodeToString(hash.Sum(nil))
}
