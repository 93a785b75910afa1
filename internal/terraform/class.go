package terraform

// Class is the class of a failure. It determines when a failed run is retried. It is also the value of a metric label, so there are only
// a few classes.
type Class string

const (
	// LockHeld means that another run holds the lock of the state. If the backend reports the holder, Error.Lock describes it.
	LockHeld Class = "LockHeld"
	// StalePlan means that the saved plan was made for another state or with another binary.
	StalePlan Class = "StalePlan"
	// Authentication means that Prism Central or the state backend does not accept the credentials.
	Authentication Class = "Authentication"
	// Permission means that the account is known but lacks a permission.
	Permission Class = "Permission"
	// Certificate means that the certificate of Prism Central is not trusted.
	Certificate Class = "Certificate"
	// NotFound means that an entity in the configuration does not exist in Prism Central.
	NotFound Class = "NotFound"
	// Rejected means that Prism Central understood the request and rejected it.
	Rejected Class = "Rejected"
	// Quota means that the quota of a project, a license or the capacity of the cluster is exhausted.
	Quota Class = "Quota"
	// LocalDisk means that the disk of this host is full.
	LocalDisk Class = "LocalDisk"
	// Timeout means that the command did not end within its time limit.
	Timeout Class = "Timeout"
	// Unreachable means that the gateway cannot connect to Prism Central.
	Unreachable Class = "Unreachable"
	// Transient means that the fault will probably disappear without any action. Examples are a lost connection, status 429 or 5xx, and an
	// edit conflict.
	Transient Class = "Transient"
	// ProviderPanic means that the provider process crashed. The state may contain planned values that were not applied, so the next plan
	// must refresh the state.
	ProviderPanic Class = "ProviderPanic"
	// Canceled means that this process interrupted the run.
	Canceled Class = "Canceled"
	// Invalid means that the configuration, the arguments or the installation are wrong. With the same inputs the run fails again.
	Invalid Class = "Invalid"
	// Unknown means that no other class matches the failure.
	Unknown Class = "Unknown"
)

// Source is the component that reported a failure.
type Source string

const (
	// SourceTerraform is Terraform itself. It includes failures of its process and of its files.
	SourceTerraform Source = "Terraform"
	// SourceBackend is the backend that stores the state.
	SourceBackend Source = "Backend"
	// SourceProvider is the nutanix provider. It also reports errors of Prism Central and of the gateway.
	SourceProvider Source = "Provider"
)

// Retry says when a failed run should be retried.
type Retry int

const (
	// RetryImmediately means that the cause does not exist in a new run. For example, after a stale plan a new plan is made.
	RetryImmediately Retry = iota
	// RetryBackoff means that the run is retried with exponential backoff.
	RetryBackoff
	// RetrySlowly means that a person has to correct something outside of the object, such as a password, an image or a quota. The run is
	// retried every few minutes, and immediately if an input has changed.
	RetrySlowly
	// RetryOnChange means that the same inputs cause the same failure. The run is retried when an input has changed, and at the next
	// periodic reconcile.
	RetryOnChange
)

// Retry returns when a run that failed with this class should be retried.
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
