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

// errNoUserData is the error for a VM that was started without user-data. Such a VM never becomes a Node.
var errNoUserData = errors.New("the virtual machine has no user-data")

// seed contains the files and commands that cloud-init reads from the user-data of a guest.
type seed struct {
	// hostname is in lower case, because kubeadm uses the lower-case hostname as the name of the Node.
	hostname string
	// files contains the content of each file by path.
	files map[string][]byte
	// commands contains the commands of runcmd in one string.
	commands string
}

// cloudConfig is the part of a cloud-config that guests use. The format is defined by cloud-init's modules write_files
// and runcmd.
type cloudConfig struct {
	WriteFiles []struct {
		Path     string `json:"path"`
		Content  string `json:"content"`
		Encoding string `json:"encoding"`
		Append   bool   `json:"append"`
	} `json:"write_files"`
	// RunCmd contains strings and lists of strings.
	RunCmd []any `json:"runcmd"`
}

// readSeed parses user-data and meta-data as cloud-init does. If the meta-data contains no host name, it uses fallback.
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

// readHostname returns the host name in meta-data, which is JSON or YAML. If there is no host name, it returns
// fallback.
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

// render evaluates jinja templates as cloud-init does, but supports only the variable for the host name, because
// Cluster API users use no other variable. Like cloud-init, it does not change user-data without the jinja header.
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

// decode decodes the content of a file in write_files.
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

// decodeBase64 decodes base64 and ignores line breaks, as cloud-init does.
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

// documents splits a YAML file into documents. It returns the documents by kind, both as JSON and as YAML.
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
