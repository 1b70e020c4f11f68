# Everything that people and the build server do with cloakroom. `make` alone lists it.
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

GO      ?= go
TOOL    := $(GO) tool -modfile=tools/go.mod
VERSION := $(shell git describe --tags --always --dirty 2>/dev/null || echo unknown)
COMMIT  := $(shell git rev-parse HEAD 2>/dev/null)
LDFLAGS := -s -w -X main.version=$(VERSION) -X main.commit=$(COMMIT)
FUZZTIME ?= 10s
BIN     ?= bin/cloakroom

export GOFLAGS ?= -buildvcs=false
export CHROMIUM ?= $(shell command -v chromium || command -v chromium-browser || command -v google-chrome)

##@ Use

.PHONY: demo
demo: ## run everything in one process and print where to look (needs nothing but Go)
	@tools/build-demo
	@bin/cloakroom-demo demo

.PHONY: demo-cluster
demo-cluster: setup ## run three replicas, Redis and nginx, and print where to break them
	@tools/build-demo
	bin/cloakroom-demo demo-cluster

.PHONY: build
build: ## build the binary as it is released, into bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '$(LDFLAGS)' -o $(BIN) ./cmd/cloakroom

.PHONY: release
release: ## build the archives of a release for every platform, with checksums, into bin/release
	@tools/release $(VERSION)

##@ Check

.PHONY: test
test: setup lint ## install what is missing, then lint and run every test
	$(GO) test -race $$($(GO) list ./... | grep -vE '/test/(load|faults)$$')
	$(GO) test -run Million ./proxy # without the race detector it tries ten times as many paths
	$(MAKE) --no-print-directory test-cluster
	$(MAKE) --no-print-directory test-browser test-client

.PHONY: test-cluster
test-cluster: ## run the load and the fault suite: three replicas, nginx, real stores (some four minutes)
	$(GO) test -count=1 -p 1 -race ./test/load ./test/faults

.PHONY: test-go
test-go: ## run the tests that need nothing but Go
	$(GO) test -race $$($(GO) list ./... | grep -vE '/test/(providers|upstreams|vanish|load|faults)$$')

.PHONY: test-providers
test-providers: node-modules ## run the tests against real providers
	$(GO) test -race ./test/providers/...

.PHONY: test-browser
test-browser: node-modules ## run the demo, and forward authentication behind nginx, in Chromium, Firefox and WebKit; screenshots go to test/out
	@tools/build-demo
	cd test/browser && CLOAKROOM=$(CURDIR)/bin/cloakroom-demo npm test

.PHONY: test-client
test-client: node-modules ## run the tests of client against the demo, in Chromium too
	@tools/build-demo
	cd client && CLOAKROOM=$(CURDIR)/bin/cloakroom-demo npm test

.PHONY: fuzz
fuzz: ## run each fuzz test for FUZZTIME (10s)
	@$(GO) list -f '{{.ImportPath}} {{.Dir}}' ./... | while read -r pkg dir; do \
		{ grep -hoE '^func Fuzz[A-Za-z0-9_]*' "$$dir"/*_test.go 2>/dev/null || true; } | sed 's/^func //' | sort -u | while read -r name; do \
			echo "== $$pkg $$name"; $(GO) test -run '^$$' -fuzz "^$$name\$$" -fuzztime $(FUZZTIME) "$$pkg"; \
		done; \
	done

.PHONY: chaos
chaos: ## break a cluster at random for CHAOS (10m)
	CHAOS=$(or $(CHAOS),10m) $(GO) test ./test/faults -run TestChaos -v -count=1 -timeout 0

.PHONY: bench
bench: ## run the benchmarks beside what they are compared to
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: bench-load
bench-load: ## compare the service under load with a bare reverse proxy, each a process of its own (about a minute)
	$(GO) test -run '^$$' -bench UnderLoad -benchtime 1x ./test/load

.PHONY: lint
lint: ## every linter, pinned in tools/go.mod; any output is a failure
	@tools/lint

##@ Prepare

.PHONY: setup
setup: ## install what the tests need (by apt as root; elsewhere names it and stops)
	@tools/setup

.PHONY: node-modules
node-modules: test/providers/oidc-provider/node_modules/.package-lock.json test/upstreams/express/node_modules/.package-lock.json test/browser/node_modules/.package-lock.json client/node_modules/.package-lock.json

%/node_modules/.package-lock.json: %/package-lock.json
	cd $* && npm ci --no-fund --no-audit
	@touch $@

.PHONY: clean
clean: ## remove what was built
	rm -rf bin test/out test/providers/oidc-provider/node_modules test/upstreams/express/node_modules test/browser/node_modules client/node_modules client/dist

.PHONY: help
help: ## this list
	@awk 'BEGIN {FS = ":.*## "} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(firstword $(MAKEFILE_LIST))
