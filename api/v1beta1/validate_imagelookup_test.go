package v1beta1_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/utils/ptr"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestImageLookupPattern(t *testing.T) {
	lookup := infrav1.NutanixImageLookup{BaseOS: "ubuntu-22.04"}
	pattern, err := lookup.Pattern("v1.28.0")
	require.NoError(t, err)
	assert.Equal(t, `capx-ubuntu-22\.04-1\.28\.0-*`, pattern.String())
	assert.True(t, pattern.MatchString("capx-ubuntu-22.04-1.28.0-20240101"))

	lookup.Format = ptr.To("^{{ .BaseOS }}/{{/* no v */}}{{.K8sVersion}}$")
	pattern, err = lookup.Pattern("1.30.1")
	require.NoError(t, err)
	assert.Equal(t, `^ubuntu-22\.04/1\.30\.1$`, pattern.String())
}

func TestValidateImageLookup(t *testing.T) {
	for name, tc := range map[string]struct {
		lookup infrav1.NutanixImageLookup
		want   []string
	}{
		"default format":        {infrav1.NutanixImageLookup{BaseOS: "u"}, nil},
		"plain text":            {infrav1.NutanixImageLookup{BaseOS: "u", Format: ptr.To("golden")}, nil},
		"empty format":          {infrav1.NutanixImageLookup{BaseOS: "u", Format: ptr.To("")}, nil},
		"no base OS":            {infrav1.NutanixImageLookup{}, []string{"spec.imageLookup.baseOS:set the operating system"}},
		"open action":           {infrav1.NutanixImageLookup{BaseOS: "u", Format: ptr.To("{{.BaseOS")}, []string{"spec.imageLookup.format:as a Go template"}},
		"unknown field":         {infrav1.NutanixImageLookup{BaseOS: "u", Format: ptr.To("{{.Arch}}")}, []string{"spec.imageLookup.format:only {{.BaseOS}} and {{.K8sVersion}}"}},
		"loop":                  {infrav1.NutanixImageLookup{BaseOS: "u", Format: ptr.To("{{range 1000000000}}x{{end}}")}, []string{"spec.imageLookup.format:only"}},
		"function":              {infrav1.NutanixImageLookup{BaseOS: "u", Format: ptr.To(`{{printf "%999999999d" 1}}`)}, []string{"spec.imageLookup.format:only"}},
		"no regular expression": {infrav1.NutanixImageLookup{BaseOS: "u", Format: ptr.To("{{.BaseOS}}-(")}, []string{"spec.imageLookup.format:as a regular expression"}},
		"base OS with brackets": {infrav1.NutanixImageLookup{BaseOS: "u["}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			m := machine()
			m.Spec.Image, m.Spec.ImageLookup = nil, &tc.lookup
			assertErrors(t, tc.want, m.Validate())
		})
	}
}

// FuzzImageLookup checks that Pattern terminates for every format, and that the values in a format match literally.
func FuzzImageLookup(f *testing.F) {
	for _, format := range []string{infrav1.DefaultImageLookupFormat, "{{.BaseOS}}", "{{range 9}}{{end}}", "{{", "(", "{{/**/}}", "{{- .K8sVersion -}}", `{{define "x"}}{{end}}`} {
		f.Add(format, "ubuntu-22.04", "v1.28.0")
	}
	f.Fuzz(func(t *testing.T, format, baseOS, version string) {
		lookup := infrav1.NutanixImageLookup{Format: &format, BaseOS: baseOS}
		pattern, err := lookup.Pattern(version)
		assert.Equal(t, err != nil, pattern == nil)
		if !utf8.ValidString(baseOS + version) {
			return // JSON cannot contain such strings
		}
		literal := infrav1.NutanixImageLookup{Format: ptr.To("^{{.BaseOS}}/{{.K8sVersion}}$"), BaseOS: baseOS}
		pattern, err = literal.Pattern(version)
		require.NoError(t, err)
		assert.True(t, pattern.MatchString(baseOS+"/"+strings.TrimPrefix(version, "v")))
	})
}
