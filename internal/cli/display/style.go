// Package display formats plans for people and for programs. It reads no cluster and no clock, so that all output can be tested.
package display

import (
	infrav1 "github.com/capnt/capnt/api/v1beta1"
)

// Style colours output. The zero Style adds no colour.
type Style struct {
	// Color is true if the output is a terminal that shows colours.
	Color bool
}

// ANSI codes of the colours.
const (
	bold   = "\x1b[1m"
	red    = "\x1b[31m"
	green  = "\x1b[32m"
	yellow = "\x1b[33m"
	reset  = "\x1b[0m"
)

func (s Style) paint(color, text string) string {
	if !s.Color || color == "" || text == "" {
		return text
	}
	return color + text + reset
}

// colorOf returns the color of a disruption class.
func colorOf(disruption infrav1.PlanDisruption) string {
	switch disruption {
	case infrav1.PlanDisruptionReplace, infrav1.PlanDisruptionDestroy:
		return red
	case infrav1.PlanDisruptionPowerCycle:
		return yellow
	case infrav1.PlanDisruptionNone:
	}
	return ""
}

// severity orders disruption classes. An unknown class counts as the worst.
func severity(disruption infrav1.PlanDisruption) int {
	switch disruption {
	case infrav1.PlanDisruptionNone, "":
		return 0
	case infrav1.PlanDisruptionPowerCycle:
		return 1
	case infrav1.PlanDisruptionReplace:
		return 2
	case infrav1.PlanDisruptionDestroy:
		return 3
	}
	return 4
}

// effect returns a disruption class in words. It is empty for a change that disrupts nothing.
func effect(disruption infrav1.PlanDisruption) string {
	switch disruption {
	case infrav1.PlanDisruptionPowerCycle:
		return "power cycle"
	case infrav1.PlanDisruptionReplace:
		return "replace"
	case infrav1.PlanDisruptionDestroy:
		return "destroy"
	case infrav1.PlanDisruptionNone, "":
		return ""
	}
	return string(disruption)
}

// symbol returns the sign of Terraform for the actions of a change, and its colour.
func symbol(actions []string) (sign, color string) {
	signs := []struct{ action, sign, color string }{
		{"replace", "-/+", red}, {"delete", "-", red}, {"forget", ".", red}, {"create", "+", green}, {"update", "~", yellow},
	}
	for _, known := range signs {
		for _, action := range actions {
			if action == known.action {
				return known.sign, known.color
			}
		}
	}
	return "*", ""
}
