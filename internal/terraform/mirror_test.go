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

// Names of the files of a release.
const (
	releaseIndex     = "index.json"
	releaseSums      = "terraform_" + downloadVersion + "_SHA256SUMS"
	releaseSignature = releaseSums + ".sig"
	releaseArchive   = "terraform_" + downloadVersion + "_" + runtime.GOOS + "_" + runtime.GOARCH + ".zip"
)

// mirror serves one release of Terraform below a path, like the mirror of a company. It signs the release with its own key.
type mirror struct {
	URL string
	// PublicKey is the armored key.
	PublicKey string
	key       *openpgp.Entity

	mu      sync.Mutex
	asked   []string
	files   map[string][]byte
	instead map[string]http.HandlerFunc // respond to requests for a file
}

// newMirror returns a mirror with a program that only prints the version of Terraform.
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

// release creates the files of a release with the given program.
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
			// The index of a mirror contains the host of the vendor, too.
			"url": "https://vendor.example.com/terraform/" + downloadVersion + "/" + releaseArchive,
		}},
	})
	require.NoError(t, err)
	m.serve(releaseIndex, index)
	m.serve(releaseArchive, archive.Bytes())
	m.sign(t, fmt.Appendf(nil, "%x  %s\n", sha256.Sum256(archive.Bytes()), releaseArchive))
}

// sign writes and signs a list of checksums.
func (m *mirror) sign(t *testing.T, sums []byte) {
	t.Helper()
	var signature bytes.Buffer
	require.NoError(t, openpgp.DetachSign(&signature, m.key, bytes.NewReader(sums), nil))
	m.serve(releaseSums, sums)
	m.serve(releaseSignature, signature.Bytes())
}

// serve replaces a file.
func (m *mirror) serve(name string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.files[name] = content
}

// misbehave makes a handler respond to requests for a file; nil restores the file.
func (m *mirror) misbehave(name string, handler http.HandlerFunc) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.instead[name] = handler
}

// ServeHTTP serves the files.
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

// requests returns the files that were requested since the last call.
func (m *mirror) requests() []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	asked := m.asked
	m.asked = nil
	return asked
}
