package plan

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	corev1 "k8s.io/api/core/v1"
)

// randomText returns a text that cannot be compressed to less than half of its length.
func randomText(t *testing.T, length int) string {
	t.Helper()
	content := make([]byte, length)
	_, _ = randomOf(t).Read(content) // never fails
	return base64.StdEncoding.EncodeToString(content)[:length]
}

func TestPlanFileIsStoredWithoutKnownTexts(t *testing.T) {
	module, userData := randomText(t, 10000), randomText(t, 20000)
	file := []byte(fmt.Sprintf("\x00\xC1tfplan %s\xC1\xFF state %s, before %s \xC1", module, userData, userData))
	texts := Texts{module, "", "tfplan", userData}
	compressed, err := texts.compress(file)
	require.NoError(t, err)
	assert.Less(t, len(compressed), 100)
	decompressed, err := texts.decompress(compressed)
	require.NoError(t, err)
	assert.Equal(t, file, decompressed)

	for name, others := range map[string]Texts{"none": nil, "another module": {module[1:], "", "tfplan", userData}, "fewer": texts[:3],
		"another order": {userData, "", "tfplan", module}} {
		decompressed, err := others.decompress(compressed)
		require.NoError(t, err)
		assert.NotEqual(t, file, decompressed, name)
	}
}

// TestPlanFileStaysTheSame compresses random files of few different bytes, so that they contain references, texts and parts of texts.
func TestPlanFileStaysTheSame(t *testing.T) {
	random := randomOf(t)
	alphabet := []byte{reference, literal, 0, 1, 2, 'a', '"'}
	content := func(length int) string {
		content := make([]byte, length)
		for i := range content {
			content[i] = alphabet[random.Intn(len(alphabet))]
		}
		return string(content)
	}
	for range 1000 {
		texts := Texts{content(minText), content(random.Intn(2 * minText)), "", content(2 * minText)}
		texts = append(texts, texts[0]+texts[3], texts[3][:minText])
		for range 2 * maxTexts * random.Intn(2) {
			texts = append(texts, content(minText))
		}
		var file strings.Builder
		for range random.Intn(10) {
			file.WriteString(content(random.Intn(5)))
			file.WriteString(texts[random.Intn(len(texts))])
		}
		compressed, err := texts.compress([]byte(file.String()))
		require.NoError(t, err)
		decompressed, err := texts.decompress(compressed)
		require.NoError(t, err)
		require.Equal(t, file.String(), string(decompressed))
	}
}

func TestSizeOfPlanFilesIsLimited(t *testing.T) {
	_, err := Texts{}.compress(make([]byte, maxFile+1))
	require.ErrorContains(t, err, "at most 16777216 can be stored")
	var compressed bytes.Buffer
	writer, err := flate.NewWriter(&compressed, flate.BestSpeed)
	require.NoError(t, err)
	_, err = writer.Write(make([]byte, 2*maxFile))
	require.NoError(t, err)
	require.NoError(t, writer.Close())
	decompressed, err := Texts{}.decompress(compressed.Bytes())
	require.NoError(t, err)
	assert.Len(t, decompressed, maxFile)
}

// TestPlanIsNotUsable_WithOtherTexts checks a plan that another release has stored, or whose sensitive variables have changed.
func TestPlanIsNotUsable_WithOtherTexts(t *testing.T) {
	store, stored := savedPlan(t)
	origin := machineOrigin(t)
	for name, texts := range map[string]Texts{"another module": {"another " + storedText}, "none": nil} {
		open, err := store.Open(t.Context(), origin.Target, false, texts)
		require.NoError(t, err, name)
		require.Len(t, open, 1)
		assert.Nil(t, open[0].File)
		assert.True(t, open[0].Saved)
		reloaded, err := store.Reload(t.Context(), stored, texts)
		require.NoError(t, err)
		err = reloaded.Record.Verify(reloaded.File, origin.Basis)
		require.ErrorContains(t, err, "the plan file differs from the recorded one")
		require.ErrorContains(t, err, "have none that can be read")
		origin := origin
		origin.Variables = "changed"
		require.ErrorContains(t, reloaded.Record.Verify(reloaded.File, origin.Basis), "fingerprint of the sensitive variables")
	}
	assert.True(t, verified(t, store))
}

func TestPlanIsNotUsable_WithTheFileOfAnotherPlan(t *testing.T) {
	store, stored := savedPlan(t)
	origin := machineOrigin(t)
	other, err := store.Record(t.Context(), stored.Record, stored.File)
	require.NoError(t, err)
	other, err = store.SaveFile(t.Context(), other, Texts{storedText})
	require.NoError(t, err)
	secret, another := &corev1.Secret{}, &corev1.Secret{}
	require.NoError(t, store.Client.Get(t.Context(), stored.Key(), secret))
	require.NoError(t, store.Client.Get(t.Context(), other.Key(), another))
	size, err := store.FileSize(t.Context(), stored.Object)
	require.NoError(t, err)
	assert.Greater(t, size, len(secret.Data[fileEntry]))
	secret.Data = another.Data
	require.NoError(t, store.Client.Update(t.Context(), secret))
	reloaded, err := store.Reload(t.Context(), stored, Texts{storedText})
	require.NoError(t, err)
	require.Error(t, reloaded.Record.Verify(reloaded.File, origin.Basis))

	require.NoError(t, store.Client.Delete(t.Context(), secret))
	size, err = store.FileSize(t.Context(), stored.Object)
	require.NoError(t, err)
	assert.Zero(t, size)
}
