package cli

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// readManifests returns the objects in files with YAML or JSON documents, in their order. The file "-" is the input. Lists are replaced by
// their items. Unknown fields are errors, because they are mostly misspelled.
func (a *app) readManifests(paths []string) ([]client.Object, error) {
	scheme, err := Scheme()
	if err != nil {
		return nil, err
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	var objects []client.Object
	for _, path := range paths {
		content, closeFile, err := a.open(path)
		if err != nil {
			return nil, err
		}
		found, err := decodeAll(decoder, content)
		closeFile()
		if err != nil {
			return nil, fmt.Errorf("reading %s: %w", path, err)
		}
		objects = append(objects, found...)
	}
	return objects, nil
}

func (a *app) open(path string) (io.Reader, func(), error) {
	if path == "-" {
		return a.In, func() {}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, nil, err
	}
	return file, func() { file.Close() }, nil
}

func decodeAll(decoder runtime.Decoder, content io.Reader) ([]client.Object, error) {
	documents := yaml.NewYAMLReader(bufio.NewReader(content))
	var objects []client.Object
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, err
		}
		if empty(document) {
			continue
		}
		found, err := decode(decoder, document)
		if err != nil {
			return nil, err
		}
		objects = append(objects, found...)
	}
}

// empty reports whether a document contains only comments.
func empty(document []byte) bool {
	var content any
	return yaml.Unmarshal(document, &content) == nil && content == nil
}

func decode(decoder runtime.Decoder, document []byte) ([]client.Object, error) {
	decoded, _, err := decoder.Decode(document, nil, nil)
	if err != nil {
		return nil, err
	}
	if object, ok := decoded.(client.Object); ok {
		return []client.Object{object}, nil
	}
	items, err := meta.ExtractList(decoded)
	if err != nil {
		return nil, fmt.Errorf("reading an object of type %T: %w", decoded, err)
	}
	var objects []client.Object
	for _, item := range items {
		switch item := item.(type) {
		case client.Object:
			objects = append(objects, item)
		case *runtime.Unknown:
			inner, err := decode(decoder, item.Raw)
			if err != nil {
				return nil, err
			}
			objects = append(objects, inner...)
		}
	}
	return objects, nil
}
