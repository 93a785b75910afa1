package prismsim_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/e2e/prismsim"
)

func TestUUIDsAreDerivedFromNames(t *testing.T) {
	first, err := prismsim.LoadInventory("testdata/inventory.yaml")
	require.NoError(t, err)
	second, err := prismsim.LoadInventory("testdata/inventory.yaml")
	require.NoError(t, err)
	assert.Equal(t, first, second)
	assert.Regexp(t, `^[0-9a-f]{8}-[0-9a-f]{4}-5`, first.PrismElements[0].UUID)
}

func TestInventoryErrorsNameTheField(t *testing.T) {
	const pe = "prismElements: [{name: pe}]\n"
	tests := map[string]string{
		"":                                       "prismElements",
		"prismElement: []":                       `unknown field "prismElement"`,
		pe + "subnets: [{nam: x}]":               `unknown field "nam"`,
		pe + "projects: [{}]":                    "projects[0] (\"\").name: must not be empty",
		pe + "images: [{name: a}]\nb: [":         "parsing YAML",
		pe + "images: [{name: a, uuid: x}]":      `images[0] ("a").uuid: "x" is not a UUID`,
		pe + "images: [{name: a, type: FLOPPY}]": "DISK_IMAGE, ISO_IMAGE",
		pe + "subnets: [{name: n, prismElement: other}]":                                                `"other" is not in prismElements`,
		pe + "subnets: [{name: n, type: OVERLAY, prismElement: pe}]":                                    "leave it out",
		pe + "subnets: [{name: n, type: VXLAN, prismElement: pe}]":                                      `"VXLAN" is not one of VLAN, OVERLAY`,
		pe + "subnets: [{name: n, prismElement: pe, ipam: true}]":                                       `"" is not a CIDR`,
		pe + "subnets: [{name: n, prismElement: pe, cidr: 127.9.0.0/24, ipam: true}]":                   "must name at least one range",
		pe + "subnets: [{name: n, prismElement: pe, cidr: 127.9.0.0/24, pools: [127.8.0.1-127.8.0.2]}]": "is not inside 127.9.0.0/24",
		pe + "subnets: [{name: n, prismElement: pe, cidr: 127.9.0.0/24, pools: [127.9.0.9-127.9.0.2]}]": "ends before it begins",
		pe + "subnets: [{name: n, prismElement: pe, cidr: 127.9.0.0/24, pools: [all]}]":                 "is not a range such as",
		pe + "subnets: [{name: n, prismElement: pe, gateway: x}]":                                       `"x" is not an address`,
		pe + "projects: [{name: p}, {name: p}]":                                                         "is also the UUID of projects[0]",
		pe + "categories: [{key: k}, {key: k}]":                                                         "put all values under one key",
		pe + "categories: [{key: k, values: ['']}]":                                                     "must not contain an empty value",
		"prismElements: [{name: pe, hosts: [{name: h, gpus: [{name: g, vendor: NVIDIA, mode: BIG}]}]}]": "hosts[0].gpus[0].mode",
		"prismElements: [{name: pe, memory: lots}]":                                                     "parsing YAML",
	}
	for text, want := range tests {
		_, err := prismsim.ParseInventory([]byte(text))
		require.Error(t, err, text)
		assert.Contains(t, err.Error(), want, text)
	}
	_, err := prismsim.LoadInventory("testdata/none.yaml")
	assert.ErrorContains(t, err, "none.yaml")
}

func TestImagesMayShareName(t *testing.T) {
	inventory, err := prismsim.ParseInventory([]byte("prismElements: [{name: pe}]\nimages: [{name: a}, {name: a}]"))
	require.NoError(t, err)
	assert.NotEqual(t, inventory.Images[0].UUID, inventory.Images[1].UUID)
}
