// Package tfmodules embeds the Terraform modules that CAPNT workspaces call.
//
// The directory of a module is <Prism API>/<role>. The modules v3/machine and v3/cluster use the Prism v3 API. They work with
// version 1.9.5 of the nutanix provider and with the v3 resources of version 2.x.
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

// Files returns the configuration files of one module by file name ("main.tf"), without its README and tests. Each call
// returns new copies.
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
