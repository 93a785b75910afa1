package guest

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"sigs.k8s.io/yaml"
)

// errNoUserData is the error of a VM that was started without user-data and therefore never becomes a Node.
var errNoUserData = errors.New("the virtual machine has no user-data")

// seed holds the files and commands that cloud-init writes to the disk of a guest.
type seed struct {
	// hostname in lower case, as kubeadm uses it for the Node.
	hostname string
	// files by path.
	files map[string][]byte
	// commands of runcmd, joined.
	commands string
}

// cloudConfig is the part of a cloud-config that guests use. Source: cloud-init, modules write_files and runcmd.
type cloudConfig struct {
	WriteFiles []struct {
		Path     string `json:"path"`
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
		Append   bool   `json:"append"`
	} `json:"write_files"`
	// RunCmd holds strings and lists of strings.
	RunCmd []any `json:"runcmd"`
}

// readSeed parses user-data and meta-data as cloud-init does. fallback is the host name if the meta-data has none.
func readSeed(userData, metaData []byte, fallback string) (*seed, error) {
	if len(bytes.TrimSpace(userData)) == 0 {
		return nil, errNoUserData
	}
	hostname, err := readHostname(metaData, fallback)
	if err != nil {
		return nil, err
	}
	userData, err = render(userData, hostname)
	if err != nil {
		return nil, err
	}
	if !bytes.HasPrefix(userData, []byte("#cloud-config")) {
		return nil, fmt.Errorf("reading user-data: it does not start with %q: only cloud-config is understood", "#cloud-config")
	}
	var config cloudConfig
	if err := yaml.Unmarshal(userData, &config); err != nil {
		return nil, fmt.Errorf("reading user-data as cloud-config: %w", err)
	}
	s := &seed{hostname: strings.ToLower(hostname), files: map[string][]byte{}}
	for _, file := range config.WriteFiles {
		content, err := decode(file.Content, file.Encoding)
		if err != nil {
			return nil, fmt.Errorf("reading file %s of user-data: %w", file.Path, err)
		}
		if file.Append {
			content = append(s.files[file.Path], content...)
		}
		s.files[file.Path] = content
	}
	for _, command := range config.RunCmd {
		s.commands += fmt.Sprintln(command)
	}
	return s, nil
}

// readHostname finds the host name in meta-data, which is JSON or YAML.
func readHostname(metaData []byte, fallback string) (string, error) {
	var meta struct {
		Hostname      string `json:"hostname"`
		LocalHostname string `json:"local-hostname"`
	}
	if err := yaml.Unmarshal(metaData, &meta); err != nil {
		return "", fmt.Errorf("reading meta-data: %w", err)
	}
	switch {
	case meta.Hostname != "":
		return meta.Hostname, nil
	case meta.LocalHostname != "":
		return meta.LocalHostname, nil
	}
	return fallback, nil
}

const jinjaHeader = "## template: jinja"

var (
	hostnameExpression = regexp.MustCompile(`\{\{\s*(?:ds\.meta_data\.|v1\.)?(?:local_)?hostname\s*\}\}`)
	anyExpression      = regexp.MustCompile(`\{\{[^}]*\}\}`)
)

// render evaluates jinja templates as cloud-init does, for the host name only, because Cluster API users use no other
// variable. Without the jinja header cloud-init renders nothing.
func render(userData []byte, hostname string) ([]byte, error) {
	rest, isTemplate := bytes.CutPrefix(userData, []byte(jinjaHeader))
	if !isTemplate {
		return userData, nil
	}
	rest = hostnameExpression.ReplaceAll(bytes.TrimLeft(rest, "\r\n \t"), []byte(hostname))
	if unknown := anyExpression.Find(rest); unknown != nil {
		return nil, fmt.Errorf("rendering user-data: only the host name is known to the simulated cloud-init, not %s", unknown)
	}
	return rest, nil
}

// decode decodes the content of one file of write_files.
func decode(content, encoding string) ([]byte, error) {
	switch encoding {
	case "", "text/plain":
		return []byte(content), nil
	case "b64", "base64":
		return decodeBase64(content)
	case "gz", "gzip":
		return gunzip([]byte(content))
	case "gz+b64", "gz+base64", "gzip+b64", "gzip+base64":
		compressed, err := decodeBase64(content)
		if err != nil {
			return nil, err
		}
		return gunzip(compressed)
	}
	return nil, fmt.Errorf("encoding %q is not known to cloud-init", encoding)
}

// decodeBase64 accepts line breaks, as cloud-init does.
func decodeBase64(content string) ([]byte, error) {
	decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(content), ""))
	if err != nil {
		return nil, fmt.Errorf("decoding base64: %w", err)
	}
	return decoded, nil
}

func gunzip(compressed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	content, err := io.ReadAll(reader)
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	return content, nil
}

// documents splits a YAML file into its documents as JSON, keyed by kind.
func documents(file []byte) (map[string]json.RawMessage, map[string][]byte, error) {
	byKind, text := map[string]json.RawMessage{}, map[string][]byte{}
	for _, document := range regexp.MustCompile(`(?m)^---\s*$`).Split(string(file), -1) {
		if strings.TrimSpace(document) == "" {
			continue
		}
		raw, err := yaml.YAMLToJSON([]byte(document))
		if err != nil {
			return nil, nil, err
		}
		var head struct {
			Kind string `json:"kind"`
		}
		if err := json.Unmarshal(raw, &head); err != nil {
			return nil, nil, err
		}
		byKind[head.Kind], text[head.Kind] = raw, []byte(document)
	}
	return byKind, text, nil
}
