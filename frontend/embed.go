// Package frontend holds the browser app. The app is built into dist by make; go build works without it, and the server
// then shows a page that says how to build the app.
package frontend

import "embed"

// Dist is the built app, under dist.
//
//go:embed all:dist
var Dist embed.FS
