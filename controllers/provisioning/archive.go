package provisioning

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"maps"
	"slices"
)

// archive packs files, given by path, into a gzip-compressed tar file. The output depends only on the paths and the
// contents.
func archive(files map[string][]byte) ([]byte, error) {
	var packed bytes.Buffer
	compressor := gzip.NewWriter(&packed)
	writer := tar.NewWriter(compressor)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		header := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(files[name]))}
		if err := writer.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packing file %s: %w", name, err)
		}
		if _, err := writer.Write(files[name]); err != nil {
			return nil, fmt.Errorf("packing file %s: %w", name, err)
		}
	}
	if err := writer.Close(); err != nil {
		return nil, fmt.Errorf("packing files: %w", err)
	}
	if err := compressor.Close(); err != nil {
		return nil, fmt.Errorf("compressing files: %w", err)
	}
	return packed.Bytes(), nil
}
