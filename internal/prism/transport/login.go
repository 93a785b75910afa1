package transport

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"
)

const (
	// firstPause is the time between the first refusal of credentials and the next login with them. furtherPause is the time between later
	// logins. Prism Central can lock an account after a few failed logins, so there are at most four in 15 minutes.
	firstPause   = 30 * time.Second
	furtherPause = 5 * time.Minute
	// acceptance is how long credentials count as accepted after a response to a request with them. During this time, requests with the
	// credentials do not wait for each other.
	acceptance = 10 * time.Second
	// maxLoginWait limits the time for which a request waits for another request with the same credentials.
	maxLoginWait = 5 * time.Second
)

// CredentialsRefusedError means that Prism Central has refused the credentials and that the next login with them is not due yet.
type CredentialsRefusedError struct {
	Address string
	// RetryAt is the time of the next login with these credentials.
	RetryAt time.Time
}

func (e *CredentialsRefusedError) Error() string {
	return fmt.Sprintf("authenticating to Prism Central %s: it refused the credentials, and they are tried again at %s, or at once after a change of the Secret that spec.prismCentral.credentialRef names",
		e.Address, e.RetryAt.UTC().Format(time.RFC3339))
}

// login decides which requests may be sent with the credentials of one upstream. It is not used for requests with a session.
//
// After Prism Central has refused the credentials, only one request with them is sent after each pause, and all other requests fail at
// once. If it is unknown whether Prism Central accepts the credentials, requests wait until the first one has its response. Otherwise many
// concurrent requests with a wrong password would lock the account.
type login struct {
	address string
	now     func() time.Time

	mu sync.Mutex
	// acceptedAt is the time of the last response that shows that Prism Central accepts the credentials.
	acceptedAt time.Time
	// refusals is the number of consecutive refusals, and retryAt is the time of the next login after them.
	refusals int
	retryAt  time.Time
	// first is the request for whose response the others wait, or nil.
	first *attempt
}

// attempt is a request with credentials.
type attempt struct {
	// refusals is the number of refusals when the request was sent.
	refusals int
	ended    chan struct{}
}

// begin waits until a request with the credentials may be sent. It returns a *CredentialsRefusedError if the request must not be sent.
// The caller passes the attempt to end.
func (l *login) begin(ctx context.Context) (*attempt, error) {
	timer := time.NewTimer(maxLoginWait)
	defer timer.Stop()
	for waited := false; ; {
		first, mine, err := l.enter(waited)
		if first == nil {
			return mine, err
		}
		select {
		case <-first.ended:
		case <-timer.C:
			waited = true
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// enter returns the attempt for whose end the caller has to wait, or otherwise a new attempt. waited is true if the caller has waited for
// maxLoginWait and does not wait any more.
func (l *login) enter(waited bool) (first, mine *attempt, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if l.refusals > 0 && now.Before(l.retryAt) {
		return nil, nil, &CredentialsRefusedError{Address: l.address, RetryAt: l.retryAt}
	}
	mine = &attempt{refusals: l.refusals, ended: make(chan struct{})}
	switch {
	case l.refusals > 0:
		l.first, l.retryAt = mine, now.Add(furtherPause) // all other requests fail while this one has no response
	case now.Sub(l.acceptedAt) < acceptance:
	case l.first == nil, waited:
		l.first = mine
	default:
		return l.first, nil, nil
	}
	return nil, mine, nil
}

// end records the result of an attempt. status is the status of the response, or zero if there was no response.
func (l *login) end(a *attempt, status int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	close(a.ended)
	wasFirst := l.first == a
	if wasFirst {
		l.first = nil
	}
	if l.refusals != a.refusals {
		return // a newer response has shown whether Prism Central accepts the credentials
	}
	switch {
	case status == http.StatusUnauthorized && l.refusals == 0 && l.now().Sub(l.acceptedAt) < acceptance:
		l.acceptedAt = time.Time{} // the next request shows whether this was an exception
	case status == http.StatusUnauthorized:
		pause := furtherPause
		if l.refusals == 0 {
			pause = firstPause
		}
		l.refusals, l.retryAt = l.refusals+1, l.now().Add(pause)
	case status != 0 && status < http.StatusInternalServerError && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests:
		l.refusals, l.acceptedAt = 0, l.now()
	case wasFirst:
		l.retryAt = time.Time{} // the response does not show whether Prism Central accepts the credentials
	}
}

// doubt records that a session has ended. It is then unknown whether Prism Central still accepts the credentials.
func (l *login) doubt() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acceptedAt = time.Time{}
}

// refused returns a *CredentialsRefusedError if the credentials were refused and the next login is not due.
func (l *login) refused() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.refusals > 0 && l.now().Before(l.retryAt) {
		return &CredentialsRefusedError{Address: l.address, RetryAt: l.retryAt}
	}
	return nil
}
