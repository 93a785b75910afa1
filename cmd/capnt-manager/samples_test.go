package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

func TestSamplesAreValidAndCoverEachKind(t *testing.T) {
	paths, err := filepath.Glob("../../config/samples/nutanix*.yaml")
	require.NoError(t, err)
	decoder := serializer.NewCodecFactory(newScheme(), serializer.EnableStrict).UniversalDeserializer()
	kinds := map[string]bool{}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		object, gvk, err := decoder.Decode(content, nil, nil)
		require.NoError(t, err, path)
		kinds[gvk.Kind] = true
		sample, ok := object.(interface{ Validate() field.ErrorList })
		require.True(t, ok, "%s is no kind that can be validated", gvk.Kind)
		assert.Empty(t, sample.Validate(), path)
	}
	for kind := range newScheme().KnownTypes(infrav1.GroupVersion) {
		if len(kind) > 7 && kind[:7] == "Nutanix" && kind[len(kind)-4:] != "List" {
			assert.True(t, kinds[kind], "there is no sample of %s", kind)
		}
	}
}
