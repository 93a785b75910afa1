package prismsim

import (
	"fmt"
	"time"
)

// Duration is a time.Duration that JSON writes as a string such as "1m30s".
type Duration time.Duration

// MarshalText writes the duration as a string.
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads the duration from a string.
func (d *Duration) UnmarshalText(text []byte) error {
	parsed, err := time.ParseDuration(string(text))
	if err != nil {
		return fmt.Errorf("reading duration: want a string such as 1m30s: %w", err)
	}
	*d = Duration(parsed)
	return nil
}
