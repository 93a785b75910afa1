// Package tfmodules carries the Terraform modules that CAPNT workspaces call.
//
// A module lives at <Prism API>/<role>: v3/machine and v3/cluster speak the Prism v3 API and work with version 1.9.5
// of the nutanix provider and with the v3 resources inside version 2.x. Both APIs of a role share the names of their
// inputs and outputs, so that a renderer chooses a module and nothing else differs.
package tfmodules

import (
	"embed"
	"fmt"
	"path"
)

// Prism APIs and roles for which a module exists.
const (
	APIV3 = "v3"

	RoleCluster = "cluster"
	RoleMachine = "machine"
)

//go:embed v3/cluster/*.tf v3/machine/*.tf
var modules embed.FS

// Files returns the configuration files of one module, keyed by file name ("main.tf"). The README and the tests of a
// module are not part of it. Each call returns fresh copies.
func Files(api, role string) (map[string][]byte, error) {
	dir := path.Join(api, role)
	entries, err := modules.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading embedded module for Prism API %q and role %q: %w", api, role, err)
	}
	files := make(map[string][]byte, len(entries))
	for _, entry := range entries {
		content, err := modules.ReadFile(path.Join(dir, entry.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading embedded module file %s/%s: %w", dir, entry.Name(), err)
		}
		files[entry.Name()] = content
	}
	return files, nil
}
