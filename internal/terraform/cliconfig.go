package terraform

import "fmt"

// cliConfig returns the CLI configuration for all runs. It allows only the nutanix provider, installed from the mirror, and disables the
// check for updates.
func cliConfig(mirror string) []byte {
	return fmt.Appendf(nil, `disable_checkpoint = true

provider_installation {
  filesystem_mirror {
    path    = %q
    include = [%q]
  }
}
`, mirror, ProviderSource)
}
