package nutanix

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

// Namespaces of the v4 API. Each is versioned by itself.
const (
	namespaceVMM         = "vmm"
	namespaceClusterMgmt = "clustermgmt"
	namespacePrism       = "prism"
	namespaceNetworking  = "networking"
)

const (
	// newestVersion is what the vendor's models in go.mod are of.
	newestVersion = "v4.2"
	newestMinor   = 2
	// versionLife is how long an answer holds: an upgrade of Prism Central is noticed within it.
	versionLife = time.Hour
	// versionRetry is how long newestVersion is used before a Prism Central that did not answer is asked again.
	versionRetry = time.Minute
	// versionDoubt is how old an answer must be for a 404 to cast doubt on it: a proxy's pages do not lead to a question each.
	versionDoubt = 5 * time.Second
	// versionTimeout bounds the question, so that it takes only a part of the time of the request it is for.
	versionTimeout = 5 * time.Second
)

// version is the newest version of a namespace that both sides know.
type version struct {
	text string
	// agreed is false when Prism Central did not say.
	agreed bool
}

func (v version) fresh(age time.Duration) bool {
	if v.agreed {
		return age < versionLife
	}
	return age < versionRetry
}

// versions are the versions of all namespaces of one connection.
type versions struct {
	mu          sync.Mutex
	byNamespace map[string]*shared[version]
}

func newVersions() *versions { return &versions{byNamespace: map[string]*shared[version]{}} }

func (v *versions) of(namespace string) *shared[version] {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.byNamespace[namespace] == nil {
		v.byNamespace[namespace] = &shared[version]{}
	}
	return v.byNamespace[namespace]
}

// version gives the version to use in paths of a namespace, for example "v4.0" with pc.2024.3. It asks Prism Central as the
// vendor's SDK does (OPTIONS /api/<namespace>/unversioned/info), but accepts versions before v4.2 too. When there is no
// answer, the one before it is used, or newestVersion: the request itself will show what is wrong.
func (c *Client) version(ctx context.Context, conn *connection, namespace string) (string, error) {
	known := conn.versions.of(namespace)
	fresh := func(v version, age time.Duration) bool { return v.fresh(age) }
	got, _, err := known.get(ctx, fresh, func(ctx context.Context) (version, error) {
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
	question := request{
		operation: labelNegotiate, label: labelNegotiate, method: http.MethodOptions, namespace: namespace,
		url: conn.base + "/api/" + namespace + "/unversioned/info",
	}
	answer, err := c.send(ctx, conn, question)
	if err != nil || answer.status != http.StatusOK || !answer.isJSON() {
		return "", false
	}
	var info struct {
		Data string `json:"data"`
	}
	if json.Unmarshal(answer.body, &info) != nil {
		return "", false
	}
	return commonVersion(info.Data)
}

var versionPattern = regexp.MustCompile(`^v4\.(\d{1,3})(\.[ab]\d+)?$`)

// commonVersion gives the lower one of the server's version ("v4.1", "v4.0.b1") and newestVersion. Another major version
// has no path that we know.
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
