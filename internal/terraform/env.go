package terraform

import (
	"bytes"
	"fmt"
	"maps"
	"os"
)

// searchPath is the PATH of a run, unless the configuration sets another PATH. Backends may need programs of the system.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// garbageCollection is the GOGC of Terraform and its provider, unless the configuration sets another value. Both processes are short-lived,
// so they collect garbage rarely until they reach RunOptions.MemoryLimit.
const garbageCollection = "400"

// rootFiles lists the files that may contain the root certificates of the system, in the same order as in Go's crypto/x509 for Linux.
var rootFiles = []string{
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/pki/tls/cacert.pem",
	"/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
	"/etc/ssl/cert.pem",
}

// systemRoots returns the root certificates of the system as PEM, or nil if there are none.
func systemRoots() []byte {
	for _, path := range append([]string{os.Getenv("SSL_CERT_FILE")}, rootFiles...) {
		if content, err := os.ReadFile(path); err == nil && len(content) > 0 {
			return content
		}
	}
	return nil
}

// trustBundle returns a PEM bundle with roots and own.
func trustBundle(roots, own []byte) []byte {
	return bytes.Join([][]byte{bytes.TrimRight(roots, "\n"), bytes.TrimRight(own, "\n"), nil}, []byte("\n"))
}

// environment returns the complete environment of a run. The variables that it sets last cannot be overridden, because another HOME or
// CLI configuration could add settings from outside.
func environment(base, own map[string]string, dir runDir, memoryLimit int) map[string]string {
	env := map[string]string{"PATH": searchPath, "LANG": "C.UTF-8", "GOGC": garbageCollection}
	if memoryLimit > 0 {
		env["GOMEMLIMIT"] = fmt.Sprintf("%dMiB", memoryLimit)
	}
	maps.Copy(env, base)
	maps.Copy(env, own)
	maps.Copy(env, map[string]string{
		"HOME":               dir.home(),
		"TMPDIR":             dir.temp(),
		"TF_CLI_CONFIG_FILE": dir.cliConfig(),
		"SSL_CERT_FILE":      dir.trustBundle(),
		"CHECKPOINT_DISABLE": "1",
	})
	return env
}
