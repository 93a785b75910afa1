package v1beta1

import (
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// TerraformApproval says which plans wait for a decision. The manager can have stricter rules; the stricter value of each field applies.
type TerraformApproval struct {
	// mode says which plans wait. Disruptive, the default, is for plans that power-cycle, replace or destroy something of an
	// object that is not being deleted. Always is for all plans, the first create and the destroy of a deleted object included.
	// +optional
	Mode ApprovalMode `json:"mode,omitempty"`

	// requiredApprovals is the number of different users who must approve a plan that waits. Default: 1.
	// +optional
	// +kubebuilder:validation:Minimum=1
	// +kubebuilder:validation:Maximum=9
	RequiredApprovals int32 `json:"requiredApprovals,omitempty"`

	// maxAge is how long a plan waits until it expires and is planned again, for example "24h". At least one minute. Default: 24h.
	// +optional
	MaxAge *metav1.Duration `json:"maxAge,omitempty"`

	// freezes are periods in which nothing is applied.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Freezes []ApprovalFreeze `json:"freezes,omitempty"`

	// windows are the only periods in which something is applied. If there are none, everything may be applied at any time.
	// +optional
	// +listType=map
	// +listMapKey=name
	// +kubebuilder:validation:MaxItems=32
	Windows []ApprovalWindow `json:"windows,omitempty"`
}

// ApprovalMode says which plans wait for a decision.
// +kubebuilder:validation:Enum=Disruptive;Always
type ApprovalMode string

const (
	// ApprovalModeDisruptive lets plans wait that disrupt existing infrastructure.
	ApprovalModeDisruptive ApprovalMode = "Disruptive"

	// ApprovalModeAlways lets all plans wait.
	ApprovalModeAlways ApprovalMode = "Always"
)

// ApprovalFreeze is a period in which nothing is applied.
type ApprovalFreeze struct {
	ApprovalPeriod `json:",inline"`

	// by is who ordered the freeze.
	// +optional
	// +kubebuilder:validation:MaxLength=256
	By string `json:"by,omitempty"`

	// reason explains the freeze.
	// +optional
	// +kubebuilder:validation:MaxLength=1024
	Reason string `json:"reason,omitempty"`

	// exemptDeletions means that objects that are being deleted are destroyed during the freeze, too.
	// +optional
	ExemptDeletions bool `json:"exemptDeletions,omitempty"`
}

// ApprovalWindow is a period in which plans may be applied.
type ApprovalWindow struct {
	ApprovalPeriod `json:",inline"`
}

// ApprovalPeriod is a period of time: either recurring (schedule and duration) or once (start and end).
// +kubebuilder:validation:XValidation:rule="has(self.schedule) == has(self.duration)",message="schedule and duration belong together: set both or none"
// +kubebuilder:validation:XValidation:rule="has(self.schedule) != (has(self.start) || has(self.end))",message="set either schedule and duration, or start and end"
// +kubebuilder:validation:XValidation:rule="has(self.schedule) || has(self.start) && has(self.end)",message="start and end belong together: set both or none"
type ApprovalPeriod struct {
	// name of the period.
	// +required
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=63
	Name string `json:"name"`

	// schedule is the begin of the period in cron format: minute, hour, day of month, month, day of week, for example "0 18 * * 5". A
	// begin that daylight saving time skips is the time at which it begins, and of two equal times the first counts.
	// +optional
	// +kubebuilder:validation:MinLength=1
	// +kubebuilder:validation:MaxLength=128
	Schedule string `json:"schedule,omitempty"`

	// duration is the length of the period on the clock of the time zone, for example "62h": 62 hours after 18:00 on Friday it is
	// 8:00 on Monday, also if daylight saving time begins or ends in between. At least one minute, at most 366 days.
	// +optional
	Duration *metav1.Duration `json:"duration,omitempty"`

	// timeZone is the time zone of schedule, a name of the IANA time zone database, for example "Europe/Berlin". Default: UTC.
	// +optional
	// +kubebuilder:validation:MaxLength=64
	TimeZone string `json:"timeZone,omitempty"`

	// start is the begin of a period that does not recur.
	// +optional
	Start *metav1.Time `json:"start,omitempty"`

	// end is the end of a period that does not recur.
	// +optional
	End *metav1.Time `json:"end,omitempty"`
}
