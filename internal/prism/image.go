package prism

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// KindImage is the name of the kind image in errors.
const KindImage = "image"

// Image is a disk image or an ISO image.
type Image struct {
	Entity
	SizeBytes int64
	// CreationTime is used to find the newest image.
	CreationTime time.Time
}

// Image returns the image with the name or UUID id. Names are case-insensitive. Image returns an *AmbiguousError if several images have
// the name. It ignores images that are being deleted.
func (c *Client) Image(ctx context.Context, id infrav1.NutanixResourceIdentifier) (Image, error) {
	wanted, err := identify(id, "image")
	if err != nil {
		return Image{}, err
	}
	choose := func(images []Image) (Image, error) {
		matches := distinct(images, func(image Image) bool { return wanted.is(image.Entity, strings.EqualFold) })
		return single(matches, KindImage, wanted)
	}
	return findEntity(ctx, c, KindImage, wanted, c.api.images(wanted), choose)
}

// ImageLookup returns the newest image whose name matches lookup.Format for a Kubernetes version. A leading v of the version is ignored
// ("v1.33.1"). As in CAPX, the format is a Go template whose result is a regular expression (RE2). ImageLookup returns an *InvalidError
// if the format is invalid.
//
// If the expression contains the version, the name of the image must contain exactly this version. The expression alone is not
// sufficient: the "*" at the end of the default format only makes the dash before it optional, so the expression for 1.33.1 also matches
// an image of 1.33.10.
func (c *Client) ImageLookup(ctx context.Context, lookup infrav1.NutanixImageLookup, k8sVersion string) (Image, error) {
	version := strings.TrimPrefix(k8sVersion, "v")
	expression, err := lookup.Pattern(k8sVersion)
	if err != nil {
		return Image{}, &InvalidError{Field: "imageLookup.format", Reason: err.Error()}
	}
	versioned := version != "" && strings.Contains(expression.String(), regexp.QuoteMeta(version))
	return find(ctx, c, c.api.images(identifier{}), func(images []Image) (Image, error) {
		matches := distinct(images, func(image Image) bool {
			return expression.MatchString(image.Name) && (!versioned || carriesVersion(image.Name, version))
		})
		if len(matches) == 0 {
			return Image{}, &NotFoundError{Kind: KindImage, Identifier: fmt.Sprintf("a name that matches %#q", expression)}
		}
		return newest(matches), nil
	})
}

// carriesVersion reports whether name contains version. A match within a longer number is ignored.
func carriesVersion(name, version string) bool {
	digit := func(b byte) bool { return b >= '0' && b <= '9' }
	for start := 0; ; {
		at := strings.Index(name[start:], version)
		if at < 0 {
			return false
		}
		at += start
		end := at + len(version)
		if (at == 0 || !digit(name[at-1])) && (end == len(name) || !digit(name[end])) {
			return true
		}
		start = at + 1
	}
}

// newest returns the image with the latest creation time. Among images with the same time, it returns the one with the largest UUID.
func newest(images []Image) Image {
	return slices.MaxFunc(images, func(a, b Image) int {
		return cmp.Or(a.CreationTime.Compare(b.CreationTime), strings.Compare(a.UUID, b.UUID))
	})
}
