package v1beta1_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"sigs.k8s.io/yaml"
)

// sharedHeadings are the headings in docs/fields.md of sections that describe fields of several kinds.
var sharedHeadings = []string{"Naming something in Prism Central", "status.terraform"}

var (
	fence = regexp.MustCompile("(?s)```.*?```")
	code  = regexp.MustCompile("`([^`]+)`")
	// fieldPath matches a field and a nested field.
	fieldPath = regexp.MustCompile(`^[a-z][A-Za-z0-9]*(\.[a-z][A-Za-z0-9]*)*$`)
)

// TestEveryFieldIsDocumented checks that docs/fields.md contains every field of the CRDs, in a section of the field's
// kind or in a shared section. It also checks that every field in the tables of docs/fields.md exists.
func TestEveryFieldIsDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(repository, "docs/fields.md"))
	require.NoError(t, err)
	text := fence.ReplaceAllString(string(page), "")
	chapters := chaptersOf(text)
	everything := map[string]bool{"conditions": true, "spec": true, "status": true}
	for kind, fields := range fieldsOfKinds(t) {
		explained := namesIn(chapters[kind])
		for _, shared := range sharedHeadings {
			maps.Copy(explained, namesIn(chapters[shared]))
		}
		for path := range fields {
			for name := range strings.SplitSeq(path, ".") {
				everything[name] = true
				assert.True(t, explained[name], "docs/fields.md does not explain %s of %s (%s)", name, kind, path)
			}
		}
	}
	for line := range strings.Lines(text) {
		cells := strings.Split(line, "|")
		if len(cells) < 3 {
			continue
		}
		for _, match := range code.FindAllStringSubmatch(cells[1], -1) {
			for name := range strings.SplitSeq(match[1], ".") {
				assert.True(t, everything[name] || !fieldPath.MatchString(match[1]), "docs/fields.md explains %s, which is not a field", match[1])
			}
		}
	}
}

// chaptersOf returns the sections of a page by the kinds and fields in their headings. A heading may contain several
// kinds or several fields.
func chaptersOf(page string) map[string]string {
	chapters := map[string]string{}
	var kinds, fields []string
	for line := range strings.Lines(page) {
		if heading, ok := strings.CutPrefix(line, "## "); ok {
			kinds, fields = strings.Split(strings.TrimSpace(heading), ", "), nil
		}
		if heading, ok := strings.CutPrefix(line, "### "); ok {
			fields = strings.Split(strings.TrimSpace(heading), ", ")
			line = "`" + strings.Join(fields, "` `") + "`\n"
		}
		for _, chapter := range slices.Concat(kinds, fields) {
			chapters[chapter] += line
		}
	}
	return chapters
}

// namesIn returns the names in the code spans of text. The span `a.b` contains two names.
func namesIn(text string) map[string]bool {
	names := map[string]bool{}
	for _, match := range code.FindAllStringSubmatch(text, -1) {
		for name := range strings.FieldsFuncSeq(match[1], func(r rune) bool { return strings.ContainsRune(".,:{}<>[]\" ", r) }) {
			names[name] = true
		}
	}
	return names
}

// fieldsOfKinds returns the paths of all fields in the CRDs by kind. It omits fields that Kubernetes defines.
func fieldsOfKinds(t *testing.T) map[string]map[string]bool {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(repository, "config/crd/bases/*.yaml"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	kinds := map[string]map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		require.NoError(t, err)
		crd := &apiextensionsv1.CustomResourceDefinition{}
		require.NoError(t, yaml.Unmarshal(content, crd))
		fields := map[string]bool{}
		for _, version := range crd.Spec.Versions {
			for _, part := range []string{"spec", "status"} {
				for name, property := range version.Schema.OpenAPIV3Schema.Properties[part].Properties {
					collect(name, property, fields)
				}
			}
		}
		kinds[crd.Spec.Names.Kind] = fields
	}
	return kinds
}

// collect adds a field and its nested fields to fields. It skips conditions, because all objects have them, the fields
// of nodeRef, because the controllers never set them, and the spec of a template, because it has the same fields as the
// kind of the template.
func collect(path string, schema apiextensionsv1.JSONSchemaProps, fields map[string]bool) {
	if path == "conditions" {
		return
	}
	fields[path] = true
	if path == "nodeRef" || path == "template.spec" {
		return
	}
	if schema.Items != nil {
		schema = *schema.Items.Schema
	}
	for name, property := range schema.Properties {
		collect(path+"."+name, property, fields)
	}
}
