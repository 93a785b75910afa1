package state

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/utils/ptr"
)

// setTerm sets the term of this process. It is called when the first session is opened, because then the process is the leader. With
// leader election the term is "<UID of the Lease>/<leader transitions>/<random UUID>", so that a later leader recognizes the terms of
// earlier leaders.
func (s *Store) setTerm(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.Term != "" {
		return nil
	}
	s.since = time.Now()
	if s.Election == nil {
		s.Term = uuid.NewString()
		return nil
	}
	lease := &coordinationv1.Lease{}
	if err := s.Reader.Get(ctx, *s.Election, lease); err != nil {
		return fmt.Errorf("reading leader election Lease %s: %w", s.Election, err)
	}
	host, err := os.Hostname() // the identity of a candidate begins with its host name
	if err != nil {
		return fmt.Errorf("reading the host name: %w", err)
	}
	if !strings.HasPrefix(ptr.Deref(lease.Spec.HolderIdentity, ""), host+"_") {
		return fmt.Errorf("reading leader election Lease %s: this process is not the leader", s.Election)
	}
	s.Term = fmt.Sprintf("%s/%d/%s", lease.UID, ptr.Deref(lease.Spec.LeaseTransitions, 0), uuid.NewString())
	return nil
}

// Precedes reports whether the term earlier has ended before the term later began. This is certain only if both terms belong to the same
// leader election.
func Precedes(earlier, later string) bool {
	election, number, ok := parseTerm(earlier)
	laterElection, laterNumber, laterOK := parseTerm(later)
	return ok && laterOK && election == laterElection && number < laterNumber
}

func parseTerm(term string) (election string, number int, ok bool) {
	parts := strings.Split(term, "/")
	if len(parts) != 3 {
		return "", 0, false
	}
	number, err := strconv.Atoi(parts[1])
	return parts[0], number, err == nil
}

// LeaderTerm returns the term of this process, or an empty string as long as this process is not the leader.
func (s *Store) LeaderTerm(ctx context.Context) string {
	if err := s.setTerm(ctx); err != nil {
		return ""
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.Term
}
