package prismsim

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
)

// revision counts the changes of an entity, from 0. Its ETag is base64 of "<revision>,0", for example MSww.
type revision int64

func (v revision) etag() string {
	return base64.StdEncoding.EncodeToString([]byte(strconv.FormatInt(int64(v), 10) + ",0"))
}

var etagPattern = regexp.MustCompile(`^\d+,\d+$`)

// ifMatch compares the If-Match header with the revision of the entity. Without the header the request is refused only when
// the operation requires it. mismatch makes the namespace's own error out of the two ETags.
func (r *v4Request) ifMatch(current revision, required bool, mismatch func(sent, current string) *v4Error) error {
	sent := r.Header.Get("If-Match")
	if sent == "" {
		if !required {
			return nil
		}
		return &v4Error{
			status: http.StatusPreconditionRequired, code: "PLAT-10004", group: "MISSING_ETAG_HEADER",
			message: "If-Match header is required but was not passed.",
		}
	}
	if raw, err := base64.StdEncoding.DecodeString(sent); err != nil || !etagPattern.Match(raw) {
		return &v4Error{status: http.StatusPreconditionFailed, code: "PLAT-10005", group: "INVALID_ETAG_HEADER", message: "Invalid eTag header"}
	}
	if sent != current.etag() {
		return mismatch(sent, current.etag())
	}
	return nil
}

// mismatchText is how the API words a stale If-Match header.
func mismatchText(sent, current string) string {
	return fmt.Sprintf("If-Match header value passed '%s' because it doesn't match the current value in the server '%s'", sent, current)
}
