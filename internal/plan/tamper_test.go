package plan

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// editedPlaces is the minimum number of bytes of a NutanixPlan that the tests change.
const editedPlaces = 100

// storedText is a text of the plan file.
var storedText = strings.Repeat("text of the module ", 10)

// savedPlan records a plan and saves its file.
func savedPlan(t *testing.T) (*Store, Stored) {
	t.Helper()
	store := newTestStore(t, interceptor.Funcs{})
	file := slices.Concat(bytes.Repeat([]byte("plan"), editedPlaces), []byte(storedText))
	stored, err := store.Record(t.Context(), Build(machineOrigin(t), file, planOf(t, encoded(t, readDocument(t, "update")))), file)
	require.NoError(t, err)
	stored, err = store.SaveFile(t.Context(), stored, Texts{storedText})
	require.NoError(t, err)
	return store, stored
}

// verified reports whether the stored plan may be applied.
func verified(t *testing.T, store *Store) bool {
	t.Helper()
	origin := machineOrigin(t)
	open, err := store.Open(t.Context(), origin.Target, false, Texts{storedText})
	require.NoError(t, err)
	require.Len(t, open, 1)
	if open[0].Unsigned {
		require.Nil(t, open[0].File)
	}
	return open[0].File != nil && open[0].Record.Verify(open[0].File, origin.Basis) == nil
}

func TestPlanIsNotUsable_IfOneByteOfItsFileDiffers(t *testing.T) {
	store, stored := savedPlan(t)
	require.True(t, verified(t, store))
	secret := &corev1.Secret{}
	require.NoError(t, store.Client.Get(t.Context(), stored.Key(), secret))
	require.Greater(t, len(secret.Data[fileEntry]), signatureLength)
	for place := range secret.Data[fileEntry] {
		edited := secret.DeepCopy()
		edited.Data[fileEntry][place] ^= 1 << (place % 8)
		edited.ResourceVersion = ""
		require.NoError(t, store.Client.Update(t.Context(), edited))
		assert.False(t, verified(t, store), "byte %d of the file", place)
		reloaded, err := store.Reload(t.Context(), stored, Texts{storedText})
		require.NoError(t, err)
		var stale *StaleError
		require.ErrorAs(t, reloaded.Record.Verify(reloaded.File, machineOrigin(t).Basis), &stale)
		assert.Equal(t, "plan file", stale.What)
	}
	secret.ResourceVersion = ""
	require.NoError(t, store.Client.Update(t.Context(), secret))
	assert.True(t, verified(t, store), "the file is as it was")
}

// TestPlanIsNotUsable_IfOneByteOfItsRecordDiffers changes every byte of the signature and every fourth byte of the rest of the spec. It skips
// changes after which the spec is not valid JSON or has the same content.
func TestPlanIsNotUsable_IfOneByteOfItsRecordDiffers(t *testing.T) {
	store, stored := savedPlan(t)
	content, err := json.Marshal(stored.Object.Spec)
	require.NoError(t, err)
	signature := bytes.Index(content, []byte(stored.Object.Spec.Signature))
	edits, ofSignature := 0, 0
	object := stored.Object.DeepCopy()
	for place := range content {
		inSignature := place >= signature && place < signature+len(stored.Object.Spec.Signature)
		if place%4 != 0 && !inSignature {
			continue
		}
		edited := bytes.Clone(content)
		edited[place] ^= 1
		object.Spec = infrav1.NutanixPlanSpec{}
		if json.Unmarshal(edited, &object.Spec) != nil || equality.Semantic.DeepEqual(object.Spec, stored.Object.Spec) {
			continue
		}
		edits++
		if inSignature {
			ofSignature++
		}
		require.NoError(t, store.Client.Update(t.Context(), object))
		assert.False(t, verified(t, store), "byte %d of the spec: %s", place, edited)
	}
	assert.Greater(t, edits-ofSignature, editedPlaces)
	assert.Equal(t, len(stored.Object.Spec.Signature), ofSignature)
	object.Spec = stored.Object.Spec
	require.NoError(t, store.Client.Update(t.Context(), object))
	assert.True(t, verified(t, store), "the record is as it was")
}
