// Package tfmodules embeds the Terraform modules that the workspaces of CAPNT call.
//
// The directory of a module is <Prism API>/<role>. The modules v3/machine and v3/cluster use the v3 API of Prism. They support version
// 1.9.5 of the nutanix provider, and the v3 resources of versions 2.x. The modules v4/machine and v4/cluster use the v4 API. They support
// versions 2.4 and later. Both modules of a role have the same outputs, and the same inputs where the APIs allow it.
package tfmodules

import (
	"embed"
	"fmt"
	"path"
)

// Prism APIs and roles for which modules exist.
const (
	APIV3 = "v3"
	APIV4 = "v4"

	RoleCluster = "cluster"
	RoleMachine = "machine"
)

//go:embed v3/cluster/*.tf v3/machine/*.tf v4/cluster/*.tf v4/machine/*.tf
var modules embed.FS

// Files returns the configuration files of one module without its README and its tests. It maps file names such as "main.tf" to contents.
// Each call returns new copies.
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
