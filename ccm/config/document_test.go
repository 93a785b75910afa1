package config

import (
	"os"
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestEveryFieldIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/ccm.md")
	require.NoError(t, err)
	for _, section := range []reflect.Type{
		reflect.TypeFor[Config](), reflect.TypeFor[PrismCentral](), reflect.TypeFor[TopologyDiscovery](), reflect.TypeFor[TopologyCategories](),
		reflect.TypeFor[LoadBalancer](), reflect.TypeFor[NLB](), reflect.TypeFor[HealthCheck](), reflect.TypeFor[IPAM](),
		reflect.TypeFor[Routes](), reflect.TypeFor[Client](),
	} {
		for name := range fieldsOf(section) {
			assert.Contains(t, string(page), name, section.Name())
		}
	}
}
