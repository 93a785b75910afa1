package env

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

func TestWaitRetriesTransientErrorsOnly(t *testing.T) {
	nodes := schema.GroupResource{Resource: "nodes"}
	for name, test := range map[string]struct {
		err    error
		passes bool
	}{
		"no connection":     {&url.Error{Op: "Get", Err: syscall.ECONNREFUSED}, true},
		"connection broken": {&url.Error{Op: "Get", Err: syscall.ECONNRESET}, true},
		"no response":       {&url.Error{Op: "Get", Err: io.EOF}, true},
		"connection lost":   {errors.New("http2: client connection lost"), true},
		"too slow":          {&url.Error{Op: "Get", Err: context.DeadlineExceeded}, true},
		"server timeout":    {fmt.Errorf("listing: %w", apierrors.NewServerTimeout(nodes, "list", 1)), true},
		"no leader":         {apierrors.NewInternalError(errors.New("etcdserver: leader changed")), true},
		"too many requests": {apierrors.NewTooManyRequests("later", 1), true},
		"not found":         {apierrors.NewNotFound(nodes, "one"), false},
		"forbidden":         {apierrors.NewForbidden(nodes, "one", nil), false},
		"other error":       {errors.New("broken"), false},
	} {
		t.Run(name, func(t *testing.T) {
			looks := 0
			err := (&Environment{}).Wait(t.Context(), "a Node", func(context.Context) (bool, string, error) {
				if looks++; looks == 1 {
					return true, "", test.err
				}
				return true, "", nil
			})
			if test.passes {
				require.NoError(t, err)
				assert.Equal(t, 2, looks)
				return
			}
			require.ErrorIs(t, err, test.err)
		})
	}
}
