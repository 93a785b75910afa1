package provisioning

import (
	"testing"

	"github.com/stretchr/testify/assert"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/prism"
	"github.com/capnt/capnt/renderer"
)

func TestFirstReleaseThatSupportsV4(t *testing.T) {
	for version, want := range map[string]bool{
		"pc.7.5": true, "pc.7.5.0.1": true, "pc.7.5.1.4": true, "pc.7.6": true, "pc.7.10.2": true, "pc.8.0": true, "pc.10.1": true,
		"pc.7.3.1.1": false, "pc.7.4.9": false, "pc.2024.3.1.5": false, "pc.2023.1.0.2": false, "pc.2022.6": false, "pc.2099.9": false, "pc.5.20.5": false,
		"7.5": true, "7.5.1": true, "7.5.1.5": true, "7.10": true, "10.0": true, "7.5.1-rc1": true,
		"7.0.1.5": false, "7.3.1": false, "6.10": false, "6.10.1.2": false, "6.8.1.5": false, "5.20.4": false,
	} {
		supported, known := supportsV4(version)
		assert.True(t, known, version)
		assert.Equal(t, want, supported, version)
	}
	for _, version := range []string{"", "7", "pc.7", "pc.", "master", "el8.5-release-ganges-7.5-stable", "pc.x.5", "v7.5", "99999.1"} {
		supported, known := supportsV4(version)
		assert.False(t, known, version)
		assert.False(t, supported, version)
	}
}

func TestFirstProviderVersionThatSupportsV4(t *testing.T) {
	assert.True(t, providerSupportsV4(infrav1.FirstProviderVersionForV4))
	for version, want := range map[string]bool{"2.3.4": false, "1.9.5": false, "2.4.2": true, "2.10.0": true, "": false, "3.0.0": false, "~> 2.4": false} {
		assert.Equal(t, want, providerSupportsV4(version), version)
	}
}

// elements returns Prism Elements with the versions.
func elements(versions ...string) []prism.ElementVersion {
	var all []prism.ElementVersion
	for i, version := range versions {
		all = append(all, prism.ElementVersion{Entity: prism.Entity{Name: "pe-" + string(rune('1'+i))}, Version: version})
	}
	return all
}

// TestChoiceOfTheAPI contains the whole decision. The facts in a row are sorted by their precedence: a fact decides only if none before
// it does.
func TestChoiceOfTheAPI(t *testing.T) {
	const v3, v4 = renderer.API(""), renderer.APIV4
	central := func(version string, elementVersions ...string) centralVersions {
		return centralVersions{Versions: prism.Versions{Central: version}, elements: elements(elementVersions...)}
	}
	current := central("pc.7.5.1", "7.5.1", "7.5")
	for name, test := range map[string]struct {
		facts    apiFacts
		versions centralVersions
		want     renderer.API
		says     string
	}{
		"recorded v3":                      {apiFacts{recorded: true, inMirror: true}, current, v3, ""},
		"recorded v3, v4 asked":            {apiFacts{recorded: true, asked: "v4", pinned: "2.4.2", inMirror: true}, current, v3, ""},
		"recorded v4":                      {apiFacts{recorded: true, api: v4, inMirror: true}, central("pc.2024.3", "6.10"), v4, ""},
		"recorded v4, v3 asked":            {apiFacts{recorded: true, api: v4, asked: "v3", pinned: "1.9.5"}, current, v4, ""},
		"v4 asked, Prism Central too old":  {apiFacts{asked: "v4", inMirror: true}, central("pc.2024.3", "6.10"), v4, "spec.terraform.api"},
		"v4 asked, not in the mirror":      {apiFacts{asked: "v4"}, current, v4, "spec.terraform.api"},
		"v3 asked":                         {apiFacts{asked: "v3", pinned: "2.4.2", inMirror: true}, current, v3, "spec.terraform.api"},
		"provider too old":                 {apiFacts{pinned: "2.3.0", inMirror: true}, current, v3, "version 2.3.0 of the provider"},
		"provider 2.4":                     {apiFacts{pinned: "2.4.2", inMirror: true}, current, v4, "pc.7.5.1"},
		"provider 2.4, old Prism Central":  {apiFacts{pinned: "2.4.2", inMirror: true}, central("pc.2024.3", "7.5"), v3, "pc.2024.3"},
		"everything current":               {apiFacts{inMirror: true}, current, v4, "support it"},
		"not in the mirror":                {apiFacts{}, current, v3, "add provider 2.4.0 or later to the mirror"},
		"no v4 API":                        {apiFacts{inMirror: true}, centralVersions{withoutV4: true}, v3, "does not have the v4 API"},
		"Prism Central too old":            {apiFacts{inMirror: true}, central("pc.7.3.1.1", "7.5"), v3, "needs pc.7.5 or later, and this Prism Central has pc.7.3.1.1"},
		"Prism Central of a year":          {apiFacts{inMirror: true}, central("pc.2024.3.0.1", "7.5"), v3, "pc.2024.3.0.1"},
		"Prism Central of unknown version": {apiFacts{inMirror: true}, central("master", "7.5"), v3, `"master"`},
		"an old Prism Element":             {apiFacts{inMirror: true}, central("pc.7.5", "7.5", "6.10.1"), v3, `Prism Element pe-2 has "6.10.1"`},
		"an unknown Prism Element":         {apiFacts{inMirror: true}, central("pc.7.5", ""), v3, `Prism Element pe-1 has ""`},
		"no Prism Element":                 {apiFacts{inMirror: true}, central("pc.7.5"), v3, "sees no Prism Element"},
		"old and not in the mirror":        {apiFacts{}, central("pc.2024.3", "6.10"), v3, "needs pc.7.5"},
	} {
		t.Run(name, func(t *testing.T) {
			choice, chosen := test.facts.choose()
			if !chosen {
				choice = test.facts.chooseBy(test.versions)
			}
			assert.Equal(t, test.want, choice.API)
			assert.Contains(t, choice.Reason, test.says)
			assert.Equal(t, test.facts.recorded, choice.Reason == "", "only a new choice has a reason")
			assert.Equal(t, name == "not in the mirror", choice.Avoidable)
		})
	}
}
