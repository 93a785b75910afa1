package guest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestReadSeed(t *testing.T) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write([]byte("packed"))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	userData := `## template: jinja
#cloud-config
write_files:
- path: /plain
  content: "{{ ds.meta_data.hostname }} {{ds.meta_data.local_hostname}}"
- path: /b64
  encoding: b64
  content: aGVsbG8=
- path: /gzip
  encoding: gzip+base64
  content: ` + base64.StdEncoding.EncodeToString(packed.Bytes()) + `
- path: /plain
  append: true
  content: " more"
runcmd:
- kubeadm join --config x
- [echo, done]
`
	s, err := readSeed([]byte(userData), []byte(`{"hostname": "Node-1", "uuid": "x"}`), "fallback")
	require.NoError(t, err)
	require.Equal(t, "node-1", s.hostname)
	require.Equal(t, "Node-1 Node-1 more", string(s.files["/plain"]))
	require.Equal(t, "hello", string(s.files["/b64"]))
	require.Equal(t, "packed", string(s.files["/gzip"]))
	require.Contains(t, s.commands, "kubeadm join --config x")
}

func TestReadSeed_WithoutMetaDataUsesVMName(t *testing.T) {
	s, err := readSeed([]byte("#cloud-config\n{}\n"), nil, "vm-1")
	require.NoError(t, err)
	require.Equal(t, "vm-1", s.hostname)
}

func TestReadSeedReportsErrors(t *testing.T) {
	for name, test := range map[string]struct{ userData, want string }{
		"nothing":               {"", errNoUserData.Error()},
		"script":                {"#!/bin/sh\n", "only cloud-config"},
		"broken YAML":           {"#cloud-config\nwrite_files: {", "as cloud-config"},
		"unknown encoding":      {"#cloud-config\nwrite_files:\n- path: /x\n  encoding: zip\n  content: x\n", `file /x of user-data: encoding "zip"`},
		"bad base64":            {"#cloud-config\nwrite_files:\n- path: /x\n  encoding: b64\n  content: '%'\n", "decoding base64"},
		"unknown jinja":         {"## template: jinja\n#cloud-config\nfoo: '{{ ds.meta_data.region }}'\n", "ds.meta_data.region"},
		"unrendered, no header": {"#cloud-config\nfoo: {{ ds.meta_data.hostname }}\n", "as cloud-config"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := readSeed([]byte(test.userData), nil, "vm")
			require.ErrorContains(t, err, test.want)
		})
	}
}
