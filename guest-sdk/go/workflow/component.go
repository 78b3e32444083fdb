//go:build wasip2

package workflow

import (
	"longhaul/internal/host"
	"longhaul/internal/wit/definition"
)

func init() { definition.Export(&guest{host: host.Imports{}}) }
