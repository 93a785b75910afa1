package display

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	plaintext "github.com/capnt/capnt/internal/text"
)

// shortLength is the number of hex digits of a digest that people see.
const shortLength = 6

// Short returns the first hex digits of a digest such as "sha256:9f2c1a...".
func Short(digest string) string {
	_, digits, found := strings.Cut(digest, ":")
	if !found {
		digits = digest
	}
	return digits[:min(len(digits), shortLength)]
}

// mebibytes returns a size in MiB with the unit that people use for it: "16384" is "16 GiB".
func mebibytes(text string) string {
	size, err := strconv.ParseInt(text, 10, 64)
	switch {
	case err != nil:
		return text
	case size >= 1<<20 && size%(1<<20) == 0:
		return fmt.Sprintf("%d TiB", size>>20)
	case size >= 1<<10 && size%(1<<8) == 0:
		return strconv.FormatFloat(float64(size)/(1<<10), 'f', -1, 64) + " GiB"
	default:
		return fmt.Sprintf("%d MiB", size)
	}
}

// age returns the time since then as kubectl shows it.
func age(now time.Time, then metav1.Time) string {
	if then.IsZero() {
		return "unknown"
	}
	return duration.HumanDuration(now.Sub(then.Time))
}

// cut shortens text to at most length characters.
func cut(text string, length int) string {
	if characters := []rune(text); len(characters) > length {
		return string(characters[:length-3]) + "..."
	}
	return text
}

// CountOf returns "1 plan" or "3 plans".
func CountOf(count int, noun string) string {
	if count == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", count, noun)
}

// printable returns a recorded value as one line that cannot change the terminal.
func printable(value string) string { return plaintext.Printable(value) }
