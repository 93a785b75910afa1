package terraform

// Class says what kind of failure a command ended with. It decides when a run is tried again and is a label of the
// metrics, so the set stays small.
type Class string

const (
	// LockHeld: another run holds the state lock; Error.Lock says who, if the backend told.
	LockHeld Class = "LockHeld"
	// StalePlan: the saved plan does not belong to the present state, binary or lineage.
	StalePlan Class = "StalePlan"
	// Authentication: Prism Central or the state backend refused the credentials or the permission.
	Authentication Class = "Authentication"
	// NotFound: an entity that the configuration names does not exist.
	NotFound Class = "NotFound"
	// Quota: a project quota, a licence or the capacity of the cluster is exhausted.
	Quota Class = "Quota"
	// Timeout: the work did not end in the time given to it.
	Timeout Class = "Timeout"
	// Transient: a fault that passes by itself: connection lost, 429, 5xx, edit conflict.
	Transient Class = "Transient"
	// ProviderPanic: the provider process crashed; the state may hold planned values (refresh before the next plan).
	ProviderPanic Class = "ProviderPanic"
	// Canceled: the run was interrupted from our side.
	Canceled Class = "Canceled"
	// Invalid: the configuration, the arguments or the installation are wrong; the same inputs fail again.
	Invalid Class = "Invalid"
	// Unknown: none of the above was recognised.
	Unknown Class = "Unknown"
)

// Retry says when a failed run is worth another try.
type Retry int

const (
	// RetryImmediately: the cause is gone once the run starts over (a stale plan is planned again).
	RetryImmediately Retry = iota
	// RetryBackoff: try again with the usual exponential backoff.
	RetryBackoff
	// RetrySlowly: somebody must repair something outside the object (a password, an image, a quota); try again at an
	// interval of minutes, and at once when an input changed.
	RetrySlowly
	// RetryOnChange: the same inputs fail the same way; try again when an input changed, at the latest at the next
	// periodic reconcile.
	RetryOnChange
)

// Retry returns when a failure of this class is worth another try.
func (c Class) Retry() Retry {
	switch c {
	case StalePlan, Canceled:
		return RetryImmediately
	case Authentication, NotFound, Quota:
		return RetrySlowly
	case Invalid:
		return RetryOnChange
	default:
		return RetryBackoff
	}
}
