// Package crd embeds the CustomResourceDefinitions, because programs need the schemas of the kinds where there is no API server.
package crd

import "embed"

// Bases contains the manifests of the CustomResourceDefinitions in the directory bases.
//
//go:embed bases/*.yaml
var Bases embed.FS
