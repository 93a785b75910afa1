package renderer

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// digestVersion is the version of the digest algorithm. Increase it if a change gives equal inputs another digest. Digests without
// a version come from CAPNT 0.1, which hashed the rendered files.
const digestVersion = "v2"

// digestInputs are all inputs of a workspace: exactly one of Machine and Cluster is set.
type digestInputs struct {
	Settings Settings `json:"settings"`
	Machine  *Machine `json:"machine,omitempty"`
	Cluster  *Cluster `json:"cluster,omitempty"`
}

// digest returns "v2:" and the SHA-256, in hex, of the JSON form of the inputs. Module text and file layout are not
// hashed, so that another release of CAPNT computes the same digest for the same inputs.
func digest(inputs digestInputs) (string, error) {
	if inputs.Machine != nil {
		machine := withoutNames(*inputs.Machine)
		inputs.Machine = &machine
	}
	content, err := json.Marshal(inputs)
	if err != nil {
		return "", fmt.Errorf("hashing workspace inputs: %w", err)
	}
	sum := sha256.Sum256(content)
	return digestVersion + ":" + hex.EncodeToString(sum[:]), nil
}

// DigestIsCurrent reports whether a digest has the version that this package computes. Digests of different versions
// cannot be compared: they differ even if the inputs are equal.
func DigestIsCurrent(digest string) bool {
	return strings.HasPrefix(digest, digestVersion+":")
}

// withoutNames removes the names of entities in Prism, because they are written only to comments.
func withoutNames(machine Machine) Machine {
	unnamed := func(ref *Ref) *Ref {
		if ref == nil {
			return nil
		}
		return &Ref{UUID: ref.UUID}
	}
	machine.PrismElement.Name = ""
	machine.Project = unnamed(machine.Project)
	machine.Subnets = slices.Clone(machine.Subnets)
	for i := range machine.Subnets {
		machine.Subnets[i].Name = ""
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
