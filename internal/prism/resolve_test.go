package prism

import (
	"context"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// lookup is a test case with an identifier, and the expected UUID or error.
type lookup struct {
	name string
	id   infrav1.NutanixResourceIdentifier
	want string
	err  error
}

func (l lookup) check(t *testing.T, got Entity, err error) {
	t.Helper()
	if l.err != nil {
		assert.Equal(t, l.err, err)
		assert.Empty(t, got)
		assert.False(t, Retryable(err))
		return
	}
	require.NoError(t, err)
	assert.Equal(t, l.want, got.UUID)
	assert.NotEmpty(t, got.Name)
}

func TestPrismElement(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		for _, test := range []lookup{
			{"by name", byName("pe-two"), uuid(1, 2), nil},
			{"in another case", byName("pe-ONE"), uuid(1, 1), nil},
			{"by UUID", byUUID(uuid(1, 1)), uuid(1, 1), nil},
			{"Prism Central by name", byName("Unnamed"), "", &NotFoundError{"Prism Element", `name "Unnamed"`}},
			{"Prism Central by UUID", byUUID(uuid(1, 9)), "", &NotFoundError{"Prism Element", `uuid "` + uuid(1, 9) + `"`}},
			{"none of that name", byName("pe"), "", &NotFoundError{"Prism Element", `name "pe"`}},
			{"none of that UUID", byUUID(uuid(1, 8)), "", &NotFoundError{"Prism Element", `uuid "` + uuid(1, 8) + `"`}},
			{"two that differ by case", byName("twin"), "", &AmbiguousError{"Prism Element", `name "twin"`, []string{uuid(1, 3), uuid(1, 4)}}},
			{"neither", infrav1.NutanixResourceIdentifier{Type: "name"}, "", &InvalidError{"cluster", `type must be "uuid" or "name", and the field of that name must be set`}},
		} {
			t.Run(test.name, func(t *testing.T) {
				got, err := client.PrismElement(t.Context(), test.id)
				test.check(t, got, err)
			})
		}
	})
}

func TestSubnet(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		for _, test := range []lookup{
			{"the one of the Prism Element", byName("net"), uuid(2, 1), nil},
			{"by UUID", byUUID(uuid(2, 1)), uuid(2, 1), nil},
			{"overlay", byName("overlay"), uuid(2, 4), nil},
			{"overlay by UUID", byUUID(uuid(2, 4)), uuid(2, 4), nil},
			{"on several Prism Elements", byName("stretched"), uuid(2, 5), nil},
			{"name with FIQL operators", byName("vlan173|ncn (dev), a;b"), uuid(2, 8), nil},
			{"on another Prism Element", byName("only-two"), "", &WrongPrismElementError{`name "only-two"`, uuid(1, 1), []string{"pe-two"}}},
			{"on another Prism Element, by UUID", byUUID(uuid(2, 2)), "", &WrongPrismElementError{`uuid "` + uuid(2, 2) + `"`, uuid(1, 1), []string{"pe-two"}}},
			{"in another case", byName("NET"), "", &NotFoundError{"subnet", `name "NET"`}},
			{"twice", byName("double"), "", &AmbiguousError{"subnet", `name "double"`, []string{uuid(2, 6), uuid(2, 7)}}},
			{"being deleted", byName("going"), "", &NotFoundError{"subnet", `name "going"`}},
			{"none", byUUID(uuid(2, 99)), "", &NotFoundError{"subnet", `uuid "` + uuid(2, 99) + `"`}},
		} {
			t.Run(test.name, func(t *testing.T) {
				got, err := client.Subnet(t.Context(), test.id, uuid(1, 1))
				test.check(t, got, err)
			})
		}
	})
}

func TestImage(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		for _, test := range []lookup{
			{"by name", byName("ubuntu"), uuid(3, 1), nil},
			{"in another case", byName("UBUNTU"), uuid(3, 1), nil},
			{"by UUID", byUUID(uuid(3, 2)), uuid(3, 2), nil},
			{"two that differ by case", byName("rocky"), "", &AmbiguousError{"image", `name "rocky"`, []string{uuid(3, 2), uuid(3, 3)}}},
			{"being deleted", byName("going"), "", &NotFoundError{"image", `name "going"`}},
			{"being deleted, by UUID", byUUID(uuid(3, 9)), "", &NotFoundError{"image", `uuid "` + uuid(3, 9) + `"`}},
			{"none", byName("windows"), "", &NotFoundError{"image", `name "windows"`}},
		} {
			t.Run(test.name, func(t *testing.T) {
				got, err := client.Image(t.Context(), test.id)
				test.check(t, got.Entity, err)
				if test.err == nil {
					assert.Greater(t, got.SizeBytes, int64(2<<30))
				}
			})
		}
	})
}

func TestImageLookup(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		for _, test := range []struct {
			name, baseOS, format, version, want, err string
		}{
			{"the newest that is not being deleted, and not 1.33.10", "ubuntu-22.04", "", "v1.33.1", uuid(3, 5), ""},
			{"without v", "ubuntu-22.04", "", "1.33.10", uuid(3, 7), ""},
			{"a regular expression", "ubuntu-22.04", "^capx-{{.BaseOS}}-{{.K8sVersion}}-a$", "v1.33.1", uuid(3, 4), ""},
			{"a base OS with special characters", "ubuntu-22.04(fips)", "", "v1.33.1", uuid(3, 10), ""},
			{"a base OS that would match as an expression", "ubuntu-22.04.*", "", "v1.33.1", "", "a name that matches"},
			{"no version in the format", "ubuntu-22.04", "ubuntu$", "v1.33.1", uuid(3, 1), ""},
			{"none", "ubuntu-22.04", "", "v1.99.0", "", "a name that matches `capx-ubuntu-22\\.04-1\\.99\\.0-*`"},
			{"a bad expression", "ubuntu-22.04", "capx-({{.BaseOS}}", "v1.33.1", "", "as a regular expression"},
			{"a bad template", "ubuntu-22.04", "capx-{{.BaseOS", "v1.33.1", "", "as a Go template"},
			{"an unknown field", "ubuntu-22.04", "capx-{{.Flavour}}", "v1.33.1", "", "may be used"},
			{"a failing function", "ubuntu-22.04", "{{index .BaseOS 99}}", "v1.33.1", "", "may be used"},
		} {
			t.Run(test.name, func(t *testing.T) {
				lookup := infrav1.NutanixImageLookup{BaseOS: test.baseOS}
				if test.format != "" {
					lookup.Format = &test.format
				}
				image, err := client.ImageLookup(t.Context(), lookup, test.version)
				if test.err != "" {
					assert.ErrorContains(t, err, test.err)
					assert.False(t, Retryable(err))
					return
				}
				require.NoError(t, err)
				assert.Equal(t, test.want, image.UUID)
			})
		}
	})
}

func TestNewestDecidesTiesByUUID(t *testing.T) {
	images := make([]Image, 3)
	for i := range images {
		images[i] = Image{Entity: Entity{UUID: uuid(3, 3-i)}, CreationTime: time.Unix(1, 0)}
	}
	assert.Equal(t, uuid(3, 3), newest(images).UUID)
}

func TestProject(t *testing.T) {
	client := newCentral(t).client(t)
	for _, test := range []lookup{
		{"by name", byName("default"), uuid(4, 1), nil},
		{"with a space", byName("team a"), uuid(4, 2), nil},
		{"by UUID", byUUID(uuid(4, 3)), uuid(4, 3), nil},
		{"none", byName("team"), "", &NotFoundError{"project", `name "team"`}},
		{"none of that UUID", byUUID(uuid(4, 9)), "", &NotFoundError{"project", `uuid "` + uuid(4, 9) + `"`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := client.Project(t.Context(), test.id)
			test.check(t, got, err)
		})
	}
}

func TestStorageContainer(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		kind := "storage container of Prism Element " + uuid(1, 1)
		for _, test := range []lookup{
			{"the one of the Prism Element", byName("SelfServiceContainer"), uuid(8, 1), nil},
			{"by UUID", byUUID(uuid(8, 1)), uuid(8, 1), nil},
			{"on another Prism Element", byName("fast"), "", &NotFoundError{kind, `name "fast"`}},
			{"on another Prism Element, by UUID", byUUID(uuid(8, 3)), "", &NotFoundError{kind, `uuid "` + uuid(8, 3) + `"`}},
			{"twice", byName("double"), "", &AmbiguousError{kind, `name "double"`, []string{uuid(8, 4), uuid(8, 5)}}},
		} {
			t.Run(test.name, func(t *testing.T) {
				got, err := client.StorageContainer(t.Context(), test.id, uuid(1, 1))
				test.check(t, got, err)
			})
		}
	})
}

func TestCategory(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		want := &Category{Key: "Env/Stage", Value: "a b"}
		if central.generation == V4 {
			want.UUID = "category-env/stage=a b"
		}
		found, err := client.Category(t.Context(), "Env/Stage", "a b")
		require.NoError(t, err)
		assert.Equal(t, want, found)
		for _, value := range []string{"other", "../x"} {
			found, err := client.Category(t.Context(), "Env/Stage", value)
			require.NoError(t, err)
			assert.Nil(t, found, value)
		}
		_, err = client.Category(t.Context(), "", "x")
		assert.ErrorContains(t, err, "key and value must be set")
	})
}

func TestCategoryWithUUID(t *testing.T) {
	central := newCentral(t)
	_, err := central.client(t).CategoryWithUUID(t.Context(), vmCategory)
	require.ErrorContains(t, err, "the v3 API of Prism Central has no UUIDs of categories")

	central.generation = V4
	central.kinds["vms"] = []map[string]any{{"metadata": map[string]any{"uuid": uuid(6, 1), "categories": map[string]any{"a": "b"}}}}
	client := central.client(t)
	found, err := client.CategoryWithUUID(t.Context(), vmCategory)
	require.NoError(t, err)
	assert.Equal(t, &Category{vmCategory, "a", "b"}, found)
	central.kinds["vms"] = nil
	_, err = client.CategoryWithUUID(t.Context(), vmCategory)
	assert.Equal(t, &NotFoundError{"category", `uuid "` + vmCategory + `"`}, err, "it is not cached")
}

// vmCategory is the UUID of the category a=b, which only a VM of the test has.
const vmCategory = "category-a=b"

// TestNotFoundNeedsReason checks that a 404 without a reason does not mean that an entity does not exist. A proxy or a Prism Central that
// is restarting may send such a response.
func TestNotFoundNeedsReason(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		central.failWith(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
		for name, ask := range map[string]func(ctx context.Context) error{
			"VM":       func(ctx context.Context) error { _, err := client.VM(ctx, uuid(6, 1)); return err },
			"project":  func(ctx context.Context) error { _, err := client.Project(ctx, byUUID(uuid(5, 1))); return err },
			"category": func(ctx context.Context) error { _, err := client.Category(ctx, "Env/Stage", "a b"); return err },
		} {
			t.Run(name, func(t *testing.T) {
				err := ask(t.Context())
				var status *StatusError
				require.ErrorAs(t, err, &status)
				assert.Equal(t, http.StatusNotFound, status.Status)
				var missing *NotFoundError
				assert.NotErrorAs(t, err, &missing)
			})
		}
	})
}

func TestVM(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		vm, err := client.VM(t.Context(), uuid(6, 1))
		require.NoError(t, err)
		categories := map[string]string{"KubernetesClusterName": "c1"}
		if central.generation == V4 {
			categories["Backup"] = "daily" // v3 leaves out keys with several values
		}
		var all []Category
		if central.generation == V4 {
			all = []Category{
				{"category-backup=daily", "Backup", "daily"}, {"category-backup=weekly", "Backup", "weekly"},
				{"category-kubernetesclustername=c1", "KubernetesClusterName", "c1"},
			}
		}
		assert.Equal(t, &VM{
			AllCategories: all,
			UUID:          uuid(6, 1), Name: "m-1", Description: "CAPNT default/m-1", PowerState: "ON", State: "COMPLETE",
			Categories:     categories,
			CategoryValues: map[string][]string{"KubernetesClusterName": {"c1"}, "Backup": {"daily", "weekly"}},
			Addresses:      []string{"10.1.0.12", "fd00::12", "10.2.0.12"},
			PrismElement:   uuid(1, 1),
			Digest:         vm.Digest,
		}, vm)
		_, err = client.VM(t.Context(), uuid(6, 99))
		assert.Equal(t, &NotFoundError{"VM", `uuid "` + uuid(6, 99) + `"`}, err)
		_, err = client.VM(t.Context(), "")
		assert.ErrorContains(t, err, "resolving vmUUID")
	})
}

func TestVMsOfCategory(t *testing.T) {
	forBoth(t, func(t *testing.T, central *central) {
		client := central.client(t)
		vms, err := client.VMsOfCategory(t.Context(), "KubernetesClusterName", "c1")
		require.NoError(t, err)
		require.Len(t, vms, 1)
		assert.Equal(t, "m-1", vms[0].Name)
		vms, err = client.VMsOfCategory(t.Context(), "KubernetesClusterName", "c")
		require.NoError(t, err)
		assert.Empty(t, vms)
		_, err = client.VMsOfCategory(t.Context(), "KubernetesClusterName", "")
		assert.Error(t, err)
	})
}

func TestEqualsIsEmptyForSpecialCharacters(t *testing.T) {
	assert.Equal(t, "vm_name==m-1.example_2", equals("vm_name", "m-1.example_2"))
	for _, name := range []string{"a b", "a,b", "a;b", "a|b", "(a)", "a*", "a=b", "a~", "ü", `a\`, "a'b", "a!b"} {
		assert.Empty(t, equals("name", name), name)
	}
}

func TestListReadsAllPages(t *testing.T) {
	for _, count := range []int{0, 1, 99, 100, 101, 200, 1234} {
		for _, miscount := range []int{0, 2, -2, -count} {
			t.Run(fmt.Sprintf("%d counted as %d", count, count+miscount), func(t *testing.T) {
				central := newCentral(t)
				central.miscount = max(miscount, -count)
				vms := make([]map[string]any, count)
				for i := range vms {
					vms[i] = map[string]any{"metadata": map[string]any{"uuid": uuid(6, i), "categories": map[string]any{"key": "same"}}, "spec": map[string]any{"name": "vm"}}
				}
				central.kinds["vms"] = vms
				found, err := central.client(t).VMsOfCategory(t.Context(), "key", "same")
				require.NoError(t, err)
				assert.Len(t, found, count, "the list is read to its end, whatever is counted")
				if miscount <= 0 {
					assert.Len(t, central.seen(), count/100+1, "one page after the last full one")
				}
			})
		}
	}
}

func TestGroupsReadsAllPages(t *testing.T) {
	central := newCentral(t)
	last := central.kinds["storage_containers"][2]
	for range 250 {
		central.kinds["storage_containers"] = append([]map[string]any{{"entity_id": uuid(8, 77)}}, central.kinds["storage_containers"]...)
	}
	found, err := central.client(t).StorageContainer(t.Context(), byName("fast"), uuid(1, 2))
	require.NoError(t, err)
	assert.Equal(t, last["entity_id"], found.UUID)
	assert.Len(t, central.seen(), 3)
}
