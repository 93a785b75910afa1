package prismv4

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"sync"
	"time"
)

// Namespaces of the v4 API. Each has its own version.
const (
	VMM         = "vmm"
	ClusterMgmt = "clustermgmt"
	Prism       = "prism"
	Networking  = "networking"
	Volumes     = "volumes"
)

const (
	// newestVersion is the version of the SDKs in go.mod.
	newestVersion = "v4.2"
	newestMinor   = 2
	// versionLife is how long a version is used. An upgrade of Prism Central takes effect within this time.
	versionLife = time.Hour
	// versionRetry is how long newestVersion is used after Prism Central has not responded with a version.
	versionRetry = time.Minute
	// versionDoubt is the minimum age of a version that is negotiated again after a 404. So not each 404 of a proxy causes a negotiation.
	versionDoubt = 5 * time.Second
	// versionTimeout limits the negotiation, so that time remains for the request.
	versionTimeout = 5 * time.Second
)

// version is the newest version of a namespace that both Prism Central and the SDKs have.
type version struct {
	text string
	// agreed is false if Prism Central did not respond with a version.
	agreed bool
}

func (v version) fresh(age time.Duration) bool {
	if v.agreed {
		return age < versionLife
	}
	return age < versionRetry
}

// versions contains the versions of all namespaces of one connection.
type versions struct {
	mu          sync.Mutex
	byNamespace map[string]*Shared[version]
}

func newVersions() *versions { return &versions{byNamespace: map[string]*Shared[version]{}} }

func (v *versions) of(namespace string) *Shared[version] {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byNamespace[namespace] == nil {
		v.byNamespace[namespace] = &Shared[version]{}
	}
	return v.byNamespace[namespace]
}

// version returns the version for the paths of a namespace, for example "v4.0" for pc.2024.3. It requests the version of Prism Central like
// the SDKs (OPTIONS /api/<namespace>/unversioned/info), but also accepts versions before v4.2. If there is no valid response, it returns the
// last known version or newestVersion, because the request itself shows the error.
func (c *Client) version(ctx context.Context, conn *connection, namespace string) (string, error) {
	known := conn.versions.of(namespace)
	fresh := func(v version, age time.Duration) bool { return v.fresh(age) }
	got, _, err := known.Get(ctx, fresh, func(ctx context.Context) (version, error) {
		ctx, cancel := context.WithTimeout(ctx, min(versionTimeout, c.limits().Timeout))
		defer cancel()
		if got, ok := c.askVersion(ctx, conn, namespace); ok {
			return version{text: got, agreed: true}, nil
		}
		if before := known.last(); before.text != "" {
			return version{text: before.text}, nil
		}
		return version{text: newestVersion}, nil
	})
	if err != nil {
		return "", fmt.Errorf("negotiating the version of %s: %w", namespace, err)
	}
	return got.text, nil
}

func (c *Client) askVersion(ctx context.Context, conn *connection, namespace string) (string, bool) {
	req := request{
		operation: operationNegotiate, method: http.MethodOptions, namespace: namespace,
		url: conn.base + "/api/" + namespace + "/unversioned/info",
	}
	got, err := c.send(ctx, conn, req)
	if err != nil || got.status != http.StatusOK || !got.isJSON() {
		return "", false
	}
	var info struct {
		Data string `json:"data"`
	}
	if json.Unmarshal(got.body, &info) != nil {
		return "", false
	}
	return commonVersion(info.Data)
}

// operationNegotiate is the operation of version requests in metrics.
const operationNegotiate = "NegotiateVersion"

var versionPattern = regexp.MustCompile(`^v4\.(\d{1,3})(\.[ab]\d+)?$`)

// commonVersion returns the lower one of newestVersion and the version of Prism Central ("v4.1", "v4.0.b1"). It rejects other major versions.
func commonVersion(server string) (string, bool) {
	parts := versionPattern.FindStringSubmatch(server)
	if parts == nil {
		return "", false
	}
	minor, err := strconv.Atoi(parts[1])
	if err != nil {
		return "", false
	}
	if minor > newestMinor || minor == newestMinor && parts[2] == "" {
		return newestVersion, true
	}
	return server, true
}
