package prism_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/e2e/prismsim"
	"github.com/capnt/capnt/internal/prism"
)

func TestVersionsAreThoseOfPrismCentralAndAllPrismElements(t *testing.T) {
	s := simulate(t, func(inventory *prismsim.Inventory) {
		inventory.PrismCentral.Version = "pc.7.5.1"
		inventory.PrismElements[1].Version = "6.10.1"
	})
	for generation, client := range s.clients {
		t.Run(string(generation), func(t *testing.T) {
			versions, err := client.Versions(t.Context())
			require.NoError(t, err)
			assert.Equal(t, "pc.7.5.1", versions.Central)
			var found []string
			for _, element := range versions.Elements {
				found = append(found, element.Name+" "+element.Version)
			}
			assert.Equal(t, []string{"pe-1 7.0", "pe-2 6.10.1"}, found)

			name, uuid := "PE-2", versions.Elements[0].UUID
			element, err := versions.Element(infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name})
			require.NoError(t, err)
			assert.Equal(t, "6.10.1", element.Version)
			element, err = versions.Element(infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierUUID, UUID: &uuid})
			require.NoError(t, err)
			assert.Equal(t, "pe-1", element.Name)
			name = "prism-central"
			_, err = versions.Element(infrav1.NutanixResourceIdentifier{Type: infrav1.NutanixIdentifierName, Name: &name})
			var missing *prism.NotFoundError
			assert.ErrorAs(t, err, &missing)
		})
	}
}

// An account that may not see Prism Central in the list of clusters may see its version elsewhere.
func TestVersionOfPrismCentralThatTheListOfClustersLacks(t *testing.T) {
	for hidden, want := range map[string]map[prism.Generation]string{
		"cluster":        {prism.V3: "pc.2024.3.0.1", prism.V4: "pc.2024.3.0.1"},
		"domain_manager": {prism.V3: "pc.2024.3.0.1", prism.V4: ""},
	} {
		s := simulate(t)
		require.NoError(t, s.SetRights(s.Username(), prismsim.Rights{HiddenKinds: []string{"cluster", hidden}}))
		for generation, client := range s.clients {
			versions, err := client.Versions(t.Context())
			require.NoError(t, err)
			assert.Equal(t, prism.Versions{Central: want[generation]}, versions, "%s, %s hidden", generation, hidden)
		}
	}
}

func TestVersionsOfUnreachablePrismCentralAreAnError(t *testing.T) {
	s := simulate(t)
	s.Close()
	for _, client := range s.clients {
		_, err := client.Versions(t.Context())
		require.Error(t, err)
		assert.True(t, prism.Retryable(err))
	}
}
