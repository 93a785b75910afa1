package audit

import "testing"

// BenchmarkVerify verifies 10,000 records.
func BenchmarkVerify(b *testing.B) {
	tr := newTrail(b)
	file := join(tr.add(10_000))
	head := tr.head()
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		report, err := check(head, file)
		if err != nil || report.Records != 10_000 {
			b.Fatal(report, err)
		}
	}
}
