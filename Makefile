# Everything a person types while working on Eyrie. `make` alone lists the targets.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: ## build bin/eyrie, static
	CGO_ENABLED=0 go build -trimpath -o bin/eyrie ./cmd/eyrie

.PHONY: up
up: ## run everything on this machine
	go run ./cmd/eyrie up

.PHONY: test
test: ## run the tests; suites that lack a tool say so and are skipped
	@go run ./internal/testrun

.PHONY: test-kernels
test-kernels: ## boot Debian's 6.1 and 6.12 kernels under qemu and run the sensor there (a few minutes)
	go run ./internal/kernelboot

.PHONY: generate
generate: ## make the kernel programs again (clang and llvm-strip of Debian 12: packages clang, llvm)
	go generate ./sensor/bpf
	go test ./sensor/kernel -count=1 -run TestObjectsAreCurrent -update

.PHONY: check
check: ## gofmt, vet, staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); if [ -n "$$unformatted" ]; then echo "not gofmt-ed:"; echo "$$unformatted"; exit 1; fi
	go vet ./...
	go tool staticcheck ./...

.PHONY: race
race: ## run the tests under the race detector
	go test -race ./...

.PHONY: fuzz
fuzz: ## run each fuzz target for 20 s (FUZZTIME=5m for longer)
	@go run ./internal/testrun -fuzz $${FUZZTIME:-20s}

.PHONY: crash
crash: ## kill -9 under load, 200 rounds
	EYRIE_CRASH_ROUNDS=200 go test -count=1 -timeout 60m -run 'Crash|Kill' -v ./...

.PHONY: bench
bench: ## measure; bench/README.md has the numbers and how they were got
	go run ./bench
