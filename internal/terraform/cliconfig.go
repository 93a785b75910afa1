package terraform

import "fmt"

// cliConfig returns the CLI configuration of every run. It allows the nutanix provider from the mirror and no other provider, and
// disables the check for updates.
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
