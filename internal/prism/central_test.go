package prism

import (
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// central is a fake Prism Central that serves the v3 API and, with the same entities, the v4 API. testdata contains one file per kind with the entities in the format of Prism
// Central.
type central struct {
	*httptest.Server
	mu       sync.Mutex
	kinds    map[string][]map[string]any
	fail     http.HandlerFunc // if set, it responds to all requests
	miscount int              // is added to total_matches
	paged    func()           // is called after each page of a list
	requests []string         // path and body of each request, without requests for versions
	// generation is the API of the clients.
	generation Generation
}

func newCentral(t *testing.T) *central {
	t.Helper()
	c := &central{kinds: map[string][]map[string]any{}}
	files, err := filepath.Glob("testdata/*.json")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, file := range files {
		data, err := os.ReadFile(file)
		require.NoError(t, err)
		var entities []map[string]any
		require.NoError(t, json.Unmarshal(data, &entities), file)
		c.kinds[strings.TrimSuffix(filepath.Base(file), ".json")] = entities
	}
	c.Server = httptest.NewTLSServer(http.HandlerFunc(c.serve))
	t.Cleanup(c.Close)
	return c
}

// uuid returns the n-th UUID of a kind in testdata. The kinds are 1 cluster, 2 subnet, 3 image, 4 project, 5 host, 6 vm, 8 storage
// container.
func uuid(kind, n int) string {
	return fmt.Sprintf("%08d-0000-4000-8000-%012d", kind, n)
}

func byName(name string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name}
}

func byUUID(uuid string) infrav1.NutanixResourceIdentifier {
	return infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierUUID, UUID: &uuid}
}

func (c *central) bundle() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Certificate().Raw})
}

func (c *central) upstream() Upstream {
	return Upstream{Address: c.Listener.Addr().String(), CABundle: c.bundle(), Username: "admin", Password: "pw"}
}

func (c *central) client(t *testing.T) *Client {
	t.Helper()
	client, err := New(c.upstream(), Options{API: c.generation})
	require.NoError(t, err)
	t.Cleanup(client.Close)
	return client
}

// failWith makes the handler respond to all further requests.
func (c *central) failWith(handler http.HandlerFunc) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fail = handler
}

func (c *central) seen() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.requests
	c.requests = nil
	return seen
}

func (c *central) serve(w http.ResponseWriter, req *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	body, _ := io.ReadAll(req.Body)
	if req.Method == http.MethodOptions {
		w.Header().Set("Content-Type", "application/json")
		reply(w, map[string]any{"data": "v4.2"})
		return
	}
	path := strings.TrimPrefix(req.URL.EscapedPath(), basePath)
	c.requests = append(c.requests, strings.TrimSpace(path+" "+string(body)))
	if c.fail != nil {
		c.fail(w, req)
		return
	}
	if username, password, _ := req.BasicAuth(); username != "admin" || password != "pw" {
		refuseAny(w, req, http.StatusUnauthorized, "AUTHENTICATION_REQUIRED", "Authentication required.")
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if isV4(req) {
		c.serveV4(w, req)
		return
	}
	kind, rest, _ := strings.Cut(path, "/")
	switch {
	case req.Method == http.MethodPost && rest == "list":
		c.list(w, kind, body)
	case req.Method == http.MethodPost && kind == "groups":
		c.groups(w, body)
	case req.Method == http.MethodGet && kind == "prism_central":
		reply(w, map[string]any{"resources": map[string]any{"version": "pc.2022.6"}})
	case req.Method == http.MethodGet && kind == "categories":
		serveCategory(w, rest)
	case req.Method == http.MethodGet:
		c.get(w, kind, rest)
	default:
		refuse(w, http.StatusNotFound, "NOT_FOUND", "no such path")
	}
}

func (c *central) list(w http.ResponseWriter, kind string, body []byte) {
	var request listRequest
	_ = json.Unmarshal(body, &request)
	var matches []map[string]any
	for _, entity := range c.kinds[kind] {
		attribute, value, filtered := strings.Cut(request.Filter, "==")
		// Like Prism Central, the fake ignores filters for clusters. The attribute for the name of a VM is vm_name.
		known := map[string]string{"subnets": "name", "projects": "name", "vms": "vm_name"}[kind] == attribute
		if !filtered || !known || entity["spec"].(map[string]any)["name"] == value {
			matches = append(matches, entity)
		}
	}
	if request.Length == 0 {
		request.Length = len(matches)
	}
	page := matches[min(request.Offset, len(matches)):min(request.Offset+request.Length, len(matches))]
	reply(w, map[string]any{
		"api_version": "3.1",
		"metadata":    map[string]any{"kind": request.Kind, "total_matches": len(matches) + c.miscount, "length": len(page), "offset": request.Offset},
		"entities":    page,
	})
	if c.paged != nil {
		c.paged()
	}
}

func (c *central) groups(w http.ResponseWriter, body []byte) {
	var request groupsRequest
	_ = json.Unmarshal(body, &request)
	all := c.kinds[request.EntityType+"s"]
	count := request.GroupMemberCount
	if count == 0 {
		count = len(all)
	}
	page := all[min(request.GroupMemberOffset, len(all)):min(request.GroupMemberOffset+count, len(all))]
	reply(w, map[string]any{
		"entity_type": request.EntityType, "filtered_group_count": 1, "total_group_count": 1,
		"group_results": []any{map[string]any{"total_entity_count": len(all), "entity_results": page}},
	})
}

func (c *central) get(w http.ResponseWriter, kind, id string) {
	for _, entity := range c.kinds[kind] {
		if entity["metadata"].(map[string]any)["uuid"] == id {
			reply(w, entity)
			return
		}
	}
	refuse(w, http.StatusNotFound, "ENTITY_NOT_FOUND", "The entity "+id+" is not found")
}

func serveCategory(w http.ResponseWriter, path string) {
	switch path {
	case "Env%2FStage/a%20b":
		reply(w, map[string]any{"api_version": "3.1", "name": "Env/Stage", "value": "a b", "description": nil, "system_defined": false})
	case "Env%2FStage/other":
		refuse(w, http.StatusUnprocessableEntity, "CATEGORY_NAME_VALUE_MISMATCH", "no such value")
	default:
		refuse(w, http.StatusNotFound, "ENTITY_NOT_FOUND", "no such category")
	}
}

func reply(w io.Writer, value any) {
	_ = json.NewEncoder(w).Encode(value)
}

// refuseAny responds with an error in the format of the API of the request.
func refuseAny(w http.ResponseWriter, req *http.Request, status int, reason, message string) {
	if isV4(req) {
		refuseV4(w, req, status, reason, message)
		return
	}
	refuse(w, status, reason, message)
}

func refuse(w http.ResponseWriter, status int, reason, message string) {
	w.WriteHeader(status)
	reply(w, map[string]any{
		"api_version": "3.1", "code": status, "kind": "error", "state": "ERROR",
		"message_list": []any{map[string]any{"message": message, "reason": reason}},
	})
}
