package loadbalancer

import "fmt"

// Refusal is why a Service, or a part of what it asks for, is not served: something that only a person can change. It becomes
// an Event of the Service.
type Refusal struct {
	// Reason is the Event's reason, in CamelCase.
	Reason string
	// Message says what is refused, why, and what to do.
	Message string
	// Retry is false when trying again without a change of the Service is pointless.
	Retry bool
	Cause error
}

func (r *Refusal) Error() string {
	if r.Cause != nil {
		return fmt.Sprintf("%s: %s: %v", r.Reason, r.Message, r.Cause)
	}
	return r.Reason + ": " + r.Message
}

func (r *Refusal) Unwrap() error { return r.Cause }
