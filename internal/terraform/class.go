package terraform

// Class is the kind of a failure. It determines when a run is retried. It is a label of metrics, so the number of classes is
// small.
type Class string

const (
	// LockHeld: another run holds the state lock. Error.Lock describes the holder if the backend reports it.
	LockHeld Class = "LockHeld"
	// StalePlan: the saved plan does not belong to the present state, binary or lineage.
	StalePlan Class = "StalePlan"
	// Authentication: Prism Central or the state backend does not accept the credentials.
	Authentication Class = "Authentication"
	// Permission: the account is known but lacks the permission.
	Permission Class = "Permission"
	// Certificate: the certificate of Prism Central is not trusted.
	Certificate Class = "Certificate"
	// NotFound: an entity that the configuration names does not exist.
	NotFound Class = "NotFound"
	// Rejected: Prism Central understood the request and rejected it.
	Rejected Class = "Rejected"
	// Quota: a project quota, a license or the capacity of the cluster is exhausted.
	Quota Class = "Quota"
	// LocalDisk: the disk of this host is full.
	LocalDisk Class = "LocalDisk"
	// Timeout: the command did not end within its time limit.
	Timeout Class = "Timeout"
	// Unreachable: the gateway cannot reach Prism Central.
	Unreachable Class = "Unreachable"
	// Transient: a fault that disappears by itself, such as a lost connection, 429, 5xx or an edit conflict.
	Transient Class = "Transient"
	// ProviderPanic: the provider process crashed. The state may contain planned values, so the next plan must refresh.
	ProviderPanic Class = "ProviderPanic"
	// Canceled: this process interrupted the run.
	Canceled Class = "Canceled"
	// Invalid: the configuration, the arguments or the installation are wrong. The same inputs fail again.
	Invalid Class = "Invalid"
	// Unknown: the failure matches no other class.
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

// Retry is the time at which a failed run should be retried.
type Retry int

const (
	// RetryImmediately: a new run does not have the cause. For example, a stale plan is planned again.
	RetryImmediately Retry = iota
	// RetryBackoff: retry with exponential backoff.
	RetryBackoff
	// RetrySlowly: a person has to correct something outside of the object, such as a password, an image or a quota. Retry at an
	// interval of minutes, and at once when an input changed.
	RetrySlowly
	// RetryOnChange: the same inputs fail in the same way. Retry when an input changed, at the latest in the next periodic
	// reconcile.
	RetryOnChange
)

// Retry returns when a failure of this class should be retried.
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
