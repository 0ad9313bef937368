// Package bpf holds the programs that run in the kernel: C in, and the object and its Go description out, made with
// Clang by bpf2go and committed, so that building the product needs Go alone. It says nothing of what the records
// mean; sensor/kernel loads it and decodes.
package bpf

//go:generate go tool bpf2go -tags linux -target amd64,arm64 -cflags "-O2 -g -Wall -Werror -Wno-unused-function -mcpu=v3" -type call -type gate -type prefix -type suffix -type name -type counts -type record -type taskinfo -type part -type fileinfo -type sockinfo Sensor sensor.c
