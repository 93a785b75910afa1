package schedule

import (
	"crypto/sha256"
	"encoding/binary"
	"time"
)

// Jitter returns a duration between zero and spread that depends only on the key.
func Jitter(key string, spread time.Duration) time.Duration {
	sum := sha256.Sum256([]byte(key))
	fraction := float64(binary.BigEndian.Uint32(sum[:])) / (1 << 32)
	return time.Duration(fraction * float64(spread))
}

// Next returns the first time after last at which the object with the key is at its position within the interval. The position depends
// only on key, so that many objects are spread over the interval, even if last is the same for all of them.
func Next(key string, last time.Time, interval time.Duration) time.Time {
	position := Jitter(key, interval)
	return last.Add(-position).Truncate(interval).Add(interval + position)
}

// NextSpaced returns the same time as Next, unless this time is earlier than half an interval after last. Then it returns a time between
// half an interval and one interval after last, such that the time that follows is at the position.
func NextSpaced(key string, last time.Time, interval time.Duration) time.Time {
	next := Next(key, last, interval)
	if distance := next.Sub(last); distance < interval/2 {
		return last.Add((distance + interval) / 2)
	}
	return next
}
