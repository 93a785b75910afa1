package ccm

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/capnt/capnt/ccm/access"
	"github.com/capnt/capnt/ccm/nutanix"
)

// ear collects the reasons of what is said.
type ear []string

func (e *ear) say(reason, _ string)           { *e = append(*e, reason) }
func (e *ear) warn(reason, _ string, _ error) { *e = append(*e, reason) }

func of(kind nutanix.Kind, cause error) error {
	return fmt.Errorf("asking: %w", &nutanix.Error{Operation: "VM", Kind: kind, Cause: cause})
}

func TestEveryChangeOfPrismCentralIsToldOnce(t *testing.T) {
	var (
		silent    = of(nutanix.Unavailable, context.DeadlineExceeded)
		refused   = of(nutanix.Unauthorized, nil)
		untrusted = of(nutanix.Unavailable, &tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}})
		missing   = of(nutanix.Unavailable, &access.Error{Err: errors.New("there is no Secret")})
		misshapen = of(nutanix.Unavailable, &access.Error{Err: errors.New("there is no password")})
		throttled = of(nutanix.Throttled, nil)
		canceled  = of(nutanix.Unavailable, context.Canceled)
	)
	for name, tc := range map[string]struct {
		heard []error
		want  []string
	}{
		"it answers from the start": {[]error{nil, nil, nil}, []string{ReasonAnswers}},
		"one request fails":         {[]error{nil, silent, nil}, []string{ReasonAnswers}},
		"it stops and comes back":   {[]error{nil, silent, silent, silent, nil}, []string{ReasonAnswers, ReasonUnreachable, ReasonAnswers}},
		"it never answered":         {[]error{silent, silent, silent}, []string{ReasonUnreachable}},
		"it refuses at once":        {[]error{refused, refused}, []string{ReasonCredentialsRefused}},
		"its certificate changes":   {[]error{nil, untrusted, untrusted, nil}, []string{ReasonAnswers, ReasonCertificateRefused, ReasonAnswers}},
		"one mistake after another": {[]error{missing, missing, misshapen, refused, nil}, []string{ReasonAccessUnusable, ReasonAccessUnusable, ReasonCredentialsRefused, ReasonAnswers}},
		"a refusal is an answer":    {[]error{of(nutanix.NotFound, nil), of(nutanix.Forbidden, nil)}, []string{ReasonAnswers}},
		"our own rate limit":        {[]error{throttled, throttled, nil, silent, throttled}, []string{ReasonAnswers}},
		"whoever gave up":           {[]error{canceled, canceled, canceled}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var told ear
			answered := 0
			r := &reach{tell: &told, answered: func() { answered++ }}
			for _, err := range tc.heard {
				r.hear(err)
			}
			assert.Equal(t, tc.want, []string(told))
			assert.Equal(t, count(tc.want, ReasonAnswers), answered)
		})
	}
}

func count(reasons []string, wanted string) (n int) {
	for _, reason := range reasons {
		if reason == wanted {
			n++
		}
	}
	return n
}

// central answers the probe with one error after another, and fails the test when there is none left.
type central struct {
	nutanix.API
	t       *testing.T
	answers []error
}

func (c *central) ListPrismElements(context.Context) ([]nutanix.PrismElement, error) {
	require.NotEmpty(c.t, c.answers, "it was probed although it answers")
	err := c.answers[0]
	c.answers = c.answers[1:]
	return nil, err
}

func TestPrismCentralIsProbedUntilItAnswersAndNotLonger(t *testing.T) {
	var told ear
	r := &reach{tell: &told, answered: func() {}}
	c := &central{t: t, answers: []error{of(nutanix.Unavailable, nil), of(nutanix.Unavailable, nil), nil}}
	for range 10 {
		r.look(t.Context(), heard{API: c, reach: r})
	}
	assert.Empty(t, c.answers)
	assert.Equal(t, ear{ReasonUnreachable, ReasonAnswers}, told)

	r.hear(of(nutanix.Unavailable, nil))
	c.answers = []error{nil}
	r.look(t.Context(), heard{API: c, reach: r})
	assert.Empty(t, c.answers, "it was not probed after a request had failed")
}
