package sensortest

import "unsafe"

func addressOf(attr *[4]uint32) uintptr { return uintptr(unsafe.Pointer(attr)) }
