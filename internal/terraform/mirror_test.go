package terraform

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"runtime"
	"sync"
	"testing"

	"github.com/ProtonMail/go-crypto/openpgp"
	"github.com/ProtonMail/go-crypto/openpgp/armor"
	"github.com/ProtonMail/go-crypto/openpgp/packet"
	"github.com/stretchr/testify/require"
)

// Names of the files in a release.
const (
	releaseIndex     = "index.json"
	releaseSums      = "terraform_" + downloadVersion + "_SHA256SUMS"
	releaseSignature = releaseSums + ".sig"
	releaseArchive   = "terraform_" + downloadVersion + "_" + runtime.GOOS + "_" + runtime.GOARCH + ".zip"
)

// mirror is a server with one release of Terraform, like a company's mirror of the vendor's release server. It signs the release with its
// own key.
type mirror struct {
	URL string
	// PublicKey is the armored public key for the signature of the release.
	PublicKey string
	key       *openpgp.Entity

	mu      sync.Mutex
	asked   []string
	files   map[string][]byte
	instead map[string]http.HandlerFunc // handlers for requests for a file, by the name of the file
}

// newMirror returns a mirror with one release of Terraform. Its binary only prints a version.
func newMirror(t *testing.T) *mirror {
	t.Helper()
	key, err := openpgp.NewEntity("Vendor", "", "vendor@example.com", &packet.Config{Algorithm: packet.PubKeyAlgoEdDSA})
	require.NoError(t, err)
	var armored bytes.Buffer
	writer, err := armor.Encode(&armored, openpgp.PublicKeyType, nil)
	require.NoError(t, err)
	require.NoError(t, key.Serialize(writer))
	require.NoError(t, writer.Close())

	m := &mirror{PublicKey: armored.String(), key: key, files: map[string][]byte{}, instead: map[string]http.HandlerFunc{}}
	m.release(t, "#!/bin/sh\necho Terraform v"+downloadVersion+"\n")
	server := httptest.NewServer(m)
	t.Cleanup(server.Close)
	m.URL = server.URL + "/below/a/path/"
	return m
}

// release creates the files of a release that contains program as the binary.
func (m *mirror) release(t *testing.T, program string) {
	t.Helper()
	var archive bytes.Buffer
	packer := zip.NewWriter(&archive)
	for name, content := range map[string]string{"LICENSE.txt": "the licence", ProductTerraform: program} {
		file, err := packer.Create(name)
		require.NoError(t, err)
		_, err = file.Write([]byte(content))
		require.NoError(t, err)
	}
	require.NoError(t, packer.Close())
	index, err := json.Marshal(map[string]any{
		"name": ProductTerraform, "version": downloadVersion, "shasums": releaseSums, "shasums_signatures": []string{releaseSignature},
		"builds": []map[string]string{{
			"name": ProductTerraform, "version": downloadVersion, "os": runtime.GOOS, "arch": runtime.GOARCH, "filename": releaseArchive,
			// As in a real mirror, the URLs in the index still contain the host of the vendor.
			"url": "https://vendor.example.com/terraform/" + downloadVersion + "/" + releaseArchive,
		}},
	})
	require.NoError(t, err)
	m.serve(releaseIndex, index)
	m.serve(releaseArchive, archive.Bytes())
	m.sign(t, fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(archive.Bytes()), releaseArchive))
}

// sign stores a list of checksums and its signature.
func (m *mirror) sign(t *testing.T, sums []byte) {
	t.Helper()
	var signature bytes.Buffer
	require.NoError(t, openpgp.DetachSign(&signature, m.key, bytes.NewReader(sums), nil))
	m.serve(releaseSums, sums)
	m.serve(releaseSignature, signature.Bytes())
}

// serve sets the content of a file.
func (m *mirror) serve(name string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = content
}

// misbehave makes handler respond to requests for a file. If handler is nil, the mirror serves the file again.
func (m *mirror) misbehave(name string, handler http.HandlerFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.instead[name] = handler
}

// ServeHTTP implements http.Handler.
func (m *mirror) ServeHTTP(writer http.ResponseWriter, request *http.Request) {
	dir, name := path.Split(request.URL.Path)
	m.mu.Lock()
	m.asked = append(m.asked, name)
	content, instead := m.files[name], m.instead[name]
	m.mu.Unlock()
	if instead != nil {
		instead(writer, request)
		return
	}
	if content == nil || dir != "/below/a/path/terraform/"+downloadVersion+"/" {
		http.NotFound(writer, request)
		return
	}
	if kind, ok := map[string]string{".json": "application/json", ".zip": "application/zip"}[path.Ext(name)]; ok {
		writer.Header().Set("Content-Type", kind)
	}
	_, _ = writer.Write(content)
}

// requests returns the names of the files that were requested since the last call of requests.
func (m *mirror) requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = nil
	return asked
}
