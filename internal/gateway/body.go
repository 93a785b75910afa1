package gateway

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
)

// readBody reads and closes the body of req. It returns an *apiError with ReasonTooLarge if the body exceeds limit bytes.
func readBody(req *http.Request, limit int) ([]byte, error) {
	if req.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(io.LimitReader(req.Body, int64(limit)+1))
	_ = req.Body.Close()
	if err != nil {
		return nil, err
	}
	if len(body) > limit {
		return nil, &apiError{status: http.StatusRequestEntityTooLarge, reason: ReasonTooLarge, message: fmt.Sprintf("the request is larger than %d bytes", limit)}
	}
	return body, nil
}

// setBody sets the body of req. It also sets GetBody, so that net/http can send the request over another connection if Prism Central has
// closed an idle one.
func setBody(req *http.Request, body []byte) {
	req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	req.Body, _ = req.GetBody()
	req.ContentLength = int64(len(body))
}

// bufferedBody is a response body that the gateway has read completely. A reader of bufferedBody gets the same error as the gateway got
// at the end of the original body.
type bufferedBody struct {
	*bytes.Reader
	err error
}

func (b *bufferedBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if err == io.EOF && b.err != nil {
		return n, b.err
	}
	return n, err
}

func (b *bufferedBody) Close() error { return nil }
