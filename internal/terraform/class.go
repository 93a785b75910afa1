package terraform

// Class is the kind of a failure. It decides when a run is retried and is a label of the metrics, so the set stays small.
type Class string

const (
	// LockHeld: another run holds the state lock; Error.Lock names the holder if the backend reports it.
	LockHeld Class = "LockHeld"
	// StalePlan: the saved plan does not belong to the present state, binary or lineage.
	StalePlan Class = "StalePlan"
	// Authentication: Prism Central or the state backend does not accept the credentials.
	Authentication Class = "Authentication"
	// Permission: the account is known and lacks the permission.
	Permission Class = "Permission"
	// Certificate: the certificate of Prism Central is not trusted.
	Certificate Class = "Certificate"
	// NotFound: an entity that the configuration names does not exist.
	NotFound Class = "NotFound"
	// Rejected: Prism Central understood the request and rejects it.
	Rejected Class = "Rejected"
	// Quota: a project quota, a license or the capacity of the cluster is exhausted.
	Quota Class = "Quota"
	// LocalDisk: the disk of this host is full.
	LocalDisk Class = "LocalDisk"
	// Timeout: the work did not end in the time given to it.
	Timeout Class = "Timeout"
	// Unreachable: the gateway cannot reach Prism Central.
	Unreachable Class = "Unreachable"
	// Transient: a fault that passes by itself: connection lost, 429, 5xx, edit conflict.
	Transient Class = "Transient"
	// ProviderPanic: the provider process crashed. The state may contain planned values, so the next plan must refresh.
	ProviderPanic Class = "ProviderPanic"
	// Canceled: this process interrupted the run.
	Canceled Class = "Canceled"
	// Invalid: the configuration, the arguments or the installation are wrong; the same inputs fail again.
	Invalid Class = "Invalid"
	// Unknown: none of the others was recognized.
	Unknown Class = "Unknown"
)

// Source is the component that reported a failure.
type Source string

const (
	// SourceTerraform is Terraform itself, its files or its process.
	SourceTerraform Source = "Terraform"
	// SourceBackend is the backend that stores the state.
	SourceBackend Source = "Backend"
	// SourceProvider is the nutanix provider, which passes on what Prism Central and the gateway report.
	SourceProvider Source = "Provider"
)

// Retry is when a failed run is worth a retry.
type Retry int

const (
	// RetryImmediately: the cause is gone when the run starts over (a stale plan is planned again).
	RetryImmediately Retry = iota
	// RetryBackoff: retry with the usual exponential backoff.
	RetryBackoff
	// RetrySlowly: a person has to correct something outside the object (a password, an image, a quota). Retry at an
	// interval of minutes, and at once when an input changed.
	RetrySlowly
	// RetryOnChange: the same inputs fail the same way. Retry when an input changed, at the latest at the next periodic
	// reconcile.
	RetryOnChange
)

// Retry returns when a failure of this class is worth a retry.
func (c Class) Retry() Retry {
	switch c {
	case StalePlan, Canceled:
		return RetryImmediately
	case Authentication, Permission, Certificate, NotFound, Rejected, Quota:
		return RetrySlowly
	case Invalid:
		return RetryOnChange
	case LockHeld, LocalDisk, Timeout, Unreachable, Transient, ProviderPanic, Unknown:
	}
	return RetryBackoff
}
