package prismsim_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	v3 "github.com/nutanix-cloud-native/prism-go-client/v3"

	"github.com/capnt/capnt/e2e/prismsim"
)

// names returns the names of the VMs on a page.
func names(list *v3.VMListIntentResponse) []string {
	out := []string{}
	for _, vm := range list.Entities {
		out = append(out, *vm.Status.Name)
	}
	return out
}

func TestFilters(t *testing.T) {
	s := start(t, nil)
	client := connect(t, s, nil)
	for i, name := range []string{"alpha", "beta", "gamma (old)"} {
		body := intent(t, s, name)
		body.Spec.Resources.MemorySizeMib = ptr(int64(1024 * (i + 1)))
		if name == "beta" {
			body.Metadata.Categories = map[string]string{"Environment": "Testing"}
			body.Spec.Resources.PowerState = ptr("OFF")
		}
		create(t, client, body)
	}
	tests := map[string][]string{
		"":                           {"alpha", "beta", "gamma (old)"},
		"name==alpha":                {"alpha"},
		"vm_name==beta":              {"beta"},
		"vm_name==.*a":               {"alpha", "beta"},
		"vm_name==alph":              {},
		"vm_name==gamma (old)":       {"gamma (old)"},
		"vm_name!=alpha":             {"beta", "gamma (old)"},
		"name==alpha,name==beta":     {"alpha", "beta"},
		"power_state==ON;name==beta": {},
		"power_state==OFF":           {"beta"},
		"(name==alpha,name==beta);power_state==ON":             {"alpha"},
		"memory_size_mib=ge=2048":                              {"beta", "gamma (old)"},
		"memory_size_mib=lt=2048":                              {"alpha"},
		"categories.Environment==Testing":                      {"beta"},
		"category==Environment:Testing":                        {"beta"},
		"name=in=(alpha,beta)":                                 {"alpha", "beta"},
		"name=out=(alpha,beta)":                                {"gamma (old)"},
		"cluster_name==nutanix-cluster-1;project_name==_inter": {},
		"ip_addresses==127.40.1.10":                            {"alpha"},
	}
	for filter, want := range tests {
		got, err := client.ListVM(t.Context(), &v3.DSMetadata{Filter: &filter})
		require.NoError(t, err, filter)
		assert.Equal(t, want, names(got), filter)
		assert.EqualValues(t, len(want), *got.Metadata.TotalMatches, filter)
	}
	for _, filter := range []string{"nonsense", "colour==red", "(name==a", "name==a)", "memory_size_mib=gt=much", "name=="} {
		_, err := client.ListVM(t.Context(), &v3.DSMetadata{Filter: &filter})
		if filter == "name==" {
			require.NoError(t, err)
			continue
		}
		assert.ErrorContains(t, err, "Invalid filter", filter)
	}
}

func TestPaging(t *testing.T) {
	const images = 250
	s := start(t, nil)
	client := connect(t, s, nil)
	first, err := client.ListAllImage(t.Context(), "")
	require.NoError(t, err)
	for i := range images - len(first.Entities) {
		_, err := s.AddImage(prismsim.Image{Name: fmt.Sprintf("image-%03d", i)})
		require.NoError(t, err)
	}
	page, err := client.ListImage(t.Context(), &v3.DSMetadata{})
	require.NoError(t, err)
	assert.Len(t, page.Entities, 20, "the default length")
	all, err := client.ListAllImage(t.Context(), "")
	require.NoError(t, err)
	seen := map[string]bool{}
	for _, image := range all.Entities {
		seen[*image.Metadata.UUID] = true
	}
	assert.Len(t, seen, images)

	page, err = client.ListImage(t.Context(), &v3.DSMetadata{
		Filter: ptr("name==image-.*"), SortAttribute: ptr("name"), SortOrder: ptr("DESCENDING"), Length: ptr(int64(2)), Offset: ptr(int64(1)),
	})
	require.NoError(t, err)
	got := []string{*page.Entities[0].Spec.Name, *page.Entities[1].Spec.Name}
	assert.True(t, slices.IsSortedFunc(got, func(a, b string) int { return strings.Compare(b, a) }), "%v", got)
	assert.EqualValues(t, 2, *page.Metadata.Length)
	assert.EqualValues(t, 1, *page.Metadata.Offset)

	for text, bad := range map[string]v3.DSMetadata{
		"length: 501":     {Length: ptr(int64(501))},
		"offset: -1":      {Offset: ptr(int64(-1))},
		"kind: \\\"vm":    {Kind: ptr("vm")},
		"sort_order":      {SortOrder: ptr("UP")},
		"sort_attribute:": {SortAttribute: ptr("colour")},
	} {
		_, err := client.ListImage(t.Context(), &bad)
		assert.ErrorContains(t, err, text)
	}
	past, err := client.ListImage(t.Context(), &v3.DSMetadata{Offset: ptr(int64(1000))})
	require.NoError(t, err)
	assert.Empty(t, past.Entities)
	assert.EqualValues(t, images, *past.Metadata.TotalMatches)
}
