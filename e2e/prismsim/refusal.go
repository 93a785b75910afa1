package prismsim

import (
	"fmt"
	"slices"
)

// Refusal says how a change that cannot be made is refused. An empty one is the default of the rule.
type Refusal string

// The ways to refuse a change.
const (
	RefusedByTask    Refusal = "task"    // the request is accepted and its task fails
	RefusedByRequest Refusal = "request" // the request is answered with a 4xx status
	NotRefused       Refusal = "none"    // the change is made
)

func (r Refusal) orElse(other Refusal) Refusal {
	if r == "" {
		return other
	}
	return r
}

// UnmarshalText refuses unknown values.
func (r *Refusal) UnmarshalText(text []byte) error {
	return oneOf(r, text, RefusedByTask, RefusedByRequest, NotRefused)
}

// oneOf reads a text that has to be one of the allowed ones, or empty.
func oneOf[T ~string](into *T, text []byte, allowed ...T) error {
	if len(text) > 0 && !slices.Contains(allowed, T(text)) {
		return fmt.Errorf("%q is not one of %q", text, allowed)
	}
	*into = T(text)
	return nil
}
