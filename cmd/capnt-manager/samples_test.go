package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/validation/field"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
	"github.com/capnt/capnt/internal/policy"
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
		assert.Empty(t, problems(t, object), path)
	}
	for kind := range newScheme().KnownTypes(infrav1.GroupVersion) {
		if slices.Contains(withoutSample, kind) {
			assert.False(t, kinds[kind], "there is a sample of %s", kind)
		} else if strings.HasPrefix(kind, "Nutanix") && !strings.HasSuffix(kind, "List") {
			assert.True(t, kinds[kind], "there is no sample of %s", kind)
		}
	}
}

// withoutSample are the kinds that nobody writes in advance: the manager creates plans, and a decision contains the digest of a plan.
var withoutSample = []string{"NutanixPlan", "NutanixPlanDecision"}

// problems returns the errors that admission would return.
func problems(t *testing.T, object runtime.Object) field.ErrorList {
	t.Helper()
	switch object := object.(type) {
	case *infrav1.NutanixPlanPolicy:
		return policy.ValidateNew(object)
	case interface{ Validate() field.ErrorList }:
		return object.Validate()
	}
	require.Fail(t, "the object is no kind that can be validated", "%T", object)
	return nil
}
