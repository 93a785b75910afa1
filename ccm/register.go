package ccm

import (
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	cloudprovider "k8s.io/cloud-provider"

	"github.com/capnt/capnt/ccm/config"
)

// ProviderName is what --cloud-provider calls this cloud, and the scheme of provider IDs.
const ProviderName = "nutanix"

// Register makes the cloud known to the framework. It may be called again.
var Register = sync.OnceFunc(func() { cloudprovider.RegisterCloudProvider(ProviderName, open) })

// open makes the cloud of the file that --cloud-config names. The framework opens the file and passes it as a reader; its name
// is needed to watch it.
func open(reader io.Reader) (cloudprovider.Interface, error) {
	file, ok := reader.(*os.File)
	if !ok {
		return nil, errors.New("reading the configuration: --cloud-config must name a file")
	}
	store, err := config.Open(file.Name())
	if err != nil {
		return nil, err
	}
	self, err := selfFromEnvironment()
	if err != nil {
		return nil, fmt.Errorf("finding out where the cloud controller manager runs: %w", err)
	}
	return New(store, self), nil
}
