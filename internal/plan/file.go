package plan

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Texts are strings that a plan file contains and that are known whenever the file is stored or read: the files of the module and the
// sensitive variables. A stored plan file contains the index of a text instead of the text, which makes it several times smaller. It can be
// read only with the same texts in the same order.
type Texts []string

const (
	// minText is the length in bytes of the shortest text that is worth replacing, and maxTexts is the maximum number of texts.
	minText, maxTexts = 64, math.MaxUint8
	// reference is the first byte of a reference to a text. The second byte is the index of the text. The byte is rare in plan files, because
	// no UTF-8 text contains it. A file that contains the byte itself contains a reference to literal.
	reference, literal = 0xC1, math.MaxUint8
	// signatureLength is the length of a signature in bytes.
	signatureLength = len("hmac-sha256:") + 2*sha256.Size
	// maxFile is the maximum size of a plan file in bytes.
	maxFile = 16 << 20
)

// replacements returns the pairs of a text and its replacement for strings.NewReplacer.
func (t Texts) replacements() (pairs []string) {
	for i, text := range t[:min(len(t), maxTexts)] {
		if len(text) >= minText {
			pairs = append(pairs, text, string([]byte{reference, byte(i)}))
		}
	}
	return append(pairs, string([]byte{reference}), string([]byte{reference, literal}))
}

// compress returns the compressed form of a plan file.
func (t Texts) compress(file []byte) ([]byte, error) {
	if len(file) > maxFile {
		return nil, fmt.Errorf("compressing a plan file: it has %d bytes, and at most %d can be stored", len(file), maxFile)
	}
	var compressed bytes.Buffer
	writer, err := flate.NewWriter(&compressed, flate.BestCompression)
	if err == nil {
		_, err = strings.NewReplacer(t.replacements()...).WriteString(writer, string(file))
	}
	if err == nil {
		err = writer.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compressing a plan file: %w", err)
	}
	return compressed.Bytes(), nil
}

// decompress returns the plan file whose compressed form is given. With other texts than compress had, it returns an error or another file.
func (t Texts) decompress(compressed []byte) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(flate.NewReader(bytes.NewReader(compressed)), maxFile))
	if err != nil {
		return nil, fmt.Errorf("decompressing a plan file: %w", err)
	}
	pairs := t.replacements()
	for i := 0; i < len(pairs); i += 2 {
		pairs[i], pairs[i+1] = pairs[i+1], pairs[i]
	}
	return []byte(strings.NewReplacer(pairs...).Replace(string(content))), nil
}

// SaveFile stores the plan file in a Secret, so that another process can apply the plan. The plan owns the Secret.
func (s *Store) SaveFile(ctx context.Context, stored Stored, texts Texts) (Stored, error) {
	if stored.Object.Spec.File == nil || stored.Saved {
		return stored, nil
	}
	entry, err := s.encodeFile(ctx, stored, texts)
	if err != nil {
		return stored, fmt.Errorf("storing the file of plan %s: %w", stored.Key(), err)
	}
	secret := &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Name:      stored.Object.Spec.File.SecretName,
			Namespace: stored.Object.Namespace,
			Labels:    map[string]string{infrav1.PlanFileLabel: ""},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: infrav1.GroupVersion.String(), Kind: "NutanixPlan", Name: stored.Object.Name, UID: stored.Object.UID,
			}},
		},
		Immutable: ptr.To(true),
		Data:      map[string][]byte{fileEntry: entry},
	}
	if err := s.Client.Create(ctx, secret); err != nil && !apierrors.IsAlreadyExists(err) {
		return stored, fmt.Errorf("storing the file of plan %s: %w", stored.Key(), err)
	}
	stored.Saved = true
	return stored, nil
}

// Reload returns a plan with the file that is in its Secret now. A plan that was not saved stays as it is. If the Secret was edited or
// removed, Verify reports that the file differs from the recorded one.
func (s *Store) Reload(ctx context.Context, stored Stored, texts Texts) (Stored, error) {
	if !stored.Saved {
		return stored, nil
	}
	var err error
	stored.File, _, err = s.file(ctx, stored.Object, texts)
	return stored, err
}

// FileSize returns the number of bytes that the Secret with the plan file needs in etcd. It is zero if there is no Secret.
func (s *Store) FileSize(ctx context.Context, object *infrav1.NutanixPlan) (int, error) {
	secret, err := s.secretOf(ctx, object)
	if secret == nil || err != nil {
		return 0, err
	}
	return secret.Size(), nil
}

// file returns the plan file of a plan, and whether there is a Secret with it. The file is nil if it cannot be read with texts. It is empty
// if somebody has edited the Secret.
func (s *Store) file(ctx context.Context, object *infrav1.NutanixPlan, texts Texts) (file []byte, saved bool, err error) {
	secret, err := s.secretOf(ctx, object)
	if secret == nil || err != nil {
		return nil, false, err
	}
	file, err = s.decodeFile(ctx, object, secret.Data[fileEntry], texts)
	return file, true, err
}

// secretOf returns the Secret with the file of a plan, or nil if there is none.
func (s *Store) secretOf(ctx context.Context, object *infrav1.NutanixPlan) (*corev1.Secret, error) {
	if object.Spec.File == nil {
		return nil, nil
	}
	secret := &corev1.Secret{}
	key := client.ObjectKey{Namespace: object.Namespace, Name: object.Spec.File.SecretName}
	if err := s.Reader.Get(ctx, key, secret); apierrors.IsNotFound(err) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("reading the file of plan %s: %w", client.ObjectKeyFromObject(object), err)
	}
	return secret, nil
}

// encodeFile returns the entry for a plan file in its Secret: the signature of the compressed file, and the compressed file.
func (s *Store) encodeFile(ctx context.Context, stored Stored, texts Texts) ([]byte, error) {
	compressed, err := texts.compress(stored.File)
	if err != nil {
		return nil, err
	}
	signature, err := s.signFile(ctx, stored.Object, compressed)
	return append([]byte(signature), compressed...), err
}

// decodeFile returns the plan file in an entry that encodeFile has returned. It decompresses only what the manager has signed.
func (s *Store) decodeFile(ctx context.Context, object *infrav1.NutanixPlan, entry []byte, texts Texts) ([]byte, error) {
	compressed := entry[min(len(entry), signatureLength):]
	signature, err := s.signFile(ctx, object, compressed)
	if err != nil {
		return nil, err
	}
	if !hmac.Equal([]byte(signature), entry[:len(entry)-len(compressed)]) {
		return []byte{}, nil
	}
	file, err := texts.decompress(compressed)
	if err != nil || digest(file) != object.Spec.File.SHA256 {
		return nil, nil //nolint:nilerr // the plan file was stored with other texts, so the target is planned again
	}
	return file, nil
}

// signFile returns the signature of a compressed plan file. The signature is valid for no other plan.
func (s *Store) signFile(ctx context.Context, object *infrav1.NutanixPlan, compressed []byte) (string, error) {
	return s.authenticate(ctx, slices.Concat([]byte(client.ObjectKeyFromObject(object).String()), compressed))
}
