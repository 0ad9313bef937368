package hubtest

import (
	"testing"

	"github.com/eyrie-sec/eyrie/hub"
)

func TestMemory(t *testing.T) { Contract(t, func(testing.TB) hub.Store { return NewMemory() }) }
