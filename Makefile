# topdeck: `make run` builds and serves it, `make test` runs every check. `make help` lists the rest.
# Needs Go, Node with npm, and make; Debian packages that a target needs are installed by it when missing, and told. Daemons
# among them are neither started nor enabled on this machine.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

GO_SOURCES := $(shell find cmd server collector control frontend -name '*.go' -not -name '*_test.go' -not -path '*/node_modules/*')
APP_SOURCES := $(shell find frontend -type f -not -path '*/node_modules/*' -not -path '*/dist/*' -not -path '*/e2e/*' -not -name '*.go')
TEST_PACKAGES := chromium-headless-shell gcc libc6-dev iproute2 procps systemd-container dbus strace nginx supervisor haproxy
# A count of tries, not a time: go test's own deadline fails a run now and then with nothing found (golang/go 75804, mended in Go 1.27).
FUZZ_TIME ?= 20000x
SOAK_FUZZ_TIME ?= 200000x
BENCH_ROUNDS ?= 5
ARGS ?=

.PHONY: help
help: ## list the targets
	@grep -hE '^[a-z0-9-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

.PHONY: build
build: bin/topdeck ## build bin/topdeck with the app in it

bin/topdeck: $(GO_SOURCES) go.mod go.sum frontend/dist/index.html
	CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o $@ ./cmd/topdeck

frontend/node_modules/.package-lock.json: frontend/package.json frontend/package-lock.json
	cd frontend && npm ci --no-audit --no-fund
	touch $@

frontend/dist/index.html: frontend/node_modules/.package-lock.json $(APP_SOURCES)
	cd frontend && npm run --silent build
	touch $@

.PHONY: run
run: build ## build and serve on http://127.0.0.1:7373; ARGS="--listen …" goes to topdeck serve
	bin/topdeck serve $(ARGS)

.PHONY: install
install: build ## put the binary into /usr/local/bin, and its unit in place (DESTDIR for elsewhere)
	install -D -m 755 bin/topdeck $(DESTDIR)/usr/local/bin/topdeck
	install -D -m 644 cmd/topdeck/topdeck.service $(DESTDIR)/etc/systemd/system/topdeck.service
	@echo "now: systemctl daemon-reload && systemctl enable --now topdeck && cat /var/lib/topdeck/setup-url"

.PHONY: test
test: test-packages lint test-go fuzz test-app test-browser ## run every check

.PHONY: test-packages
test-packages:
	@missing=; for p in $(TEST_PACKAGES); do dpkg-query -W -f '$${Status}' $$p 2>/dev/null | grep -q 'install ok installed' || missing="$$missing $$p"; done; \
	if [ -n "$$missing" ]; then \
		echo "installing Debian packages that the tests need:$$missing"; \
		policy=/usr/sbin/policy-rc.d; if [ ! -e $$policy ]; then trap "rm -f $$policy" EXIT; printf '#!/bin/sh\nexit 101\n' >$$policy; chmod 755 $$policy; fi; \
		apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $$missing && \
		for d in nginx supervisor haproxy; do case " $$missing " in *" $$d "*) update-rc.d $$d disable;; esac; done; \
	fi

.PHONY: lint
lint: frontend/dist/index.html ## check format, vet, staticcheck, types and lint of the app
	@unformatted=$$(gofmt -l cmd server collector control frontend/*.go); if [ -n "$$unformatted" ]; then echo "not formatted (make fmt):"; echo "$$unformatted"; exit 1; fi
	go vet -tags browser ./...
	go tool staticcheck ./...
	cd frontend && npm run --silent format:check && npm run --silent lint && npm run --silent check

.PHONY: test-go
test-go: frontend/dist/index.html ## test the Go side with the race detector, on the real kernel and a real systemd
	go test -race -timeout 20m ./...

# Each fuzz target for a moment; make soak gives them longer.
.PHONY: fuzz
fuzz: ## run every fuzz target for FUZZ_TIME (20000x)
	@n=0; for package in $$(go list ./...); do \
		for target in $$(go test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "fuzz $$package $$target $(FUZZ_TIME)"; \
			out=$$(go test -run '^$$' -fuzz "^$$target$$" -fuzztime $(FUZZ_TIME) $$package 2>&1) || { echo "$$out"; exit 1; }; \
			n=$$((n + 1)); \
		done; \
	done; \
	echo "row 1: $$n fuzz targets, each for $(FUZZ_TIME): nothing found"

.PHONY: test-app
test-app: frontend/node_modules/.package-lock.json ## test the app's logic
	cd frontend && npm run --silent test

# Either half is run when the other has failed, too.
.PHONY: test-browser
test-browser: build ## test the built program in a real Chromium
	@failed=; \
	(cd frontend && TOPDECK_BIN=$(CURDIR)/bin/topdeck npm run --silent e2e) || failed=1; \
	go test -count=1 -timeout 15m -tags browser -run TestActsInTheBrowser ./cmd/topdeck || failed=1; \
	test -z "$$failed"

# What must hold under attack and under fault are 22 rows. Each test that shows one of them tells what it counted in a line "row N: …". Of what
# passes only these lines are shown, of what fails all that it said; in the end stand all rows, and one that nothing shows is a failure. All that
# was said is in bin/soak.log.
define SHOW_ROWS
match($$0, /row [0-9]+: /) { n = substr($$0, RSTART + 4) + 0; line = substr($$0, RSTART) "\n"; printf "%s", line; rows[n] = rows[n] line }
/^(ok  \t|fuzz |\{)/ { print }
{ said = said $$0 "\n"; fflush() }
/^ok  \t/ { said = "" }
/^FAIL|^make.*\*\*\*/ { printf "%s", said; said = ""; failed = 1 }
END { print "\nall rows:"; for (i = 1; i <= 22; i++) if (rows[i] == "") { print "row " i ": NOTHING SHOWS IT"; failed = 1 } else printf "%s", rows[i]; exit failed }
endef
export SHOW_ROWS

.PHONY: soak
soak: TEST_PACKAGES += chromium testssl.sh python3-websockets
soak: test-packages build ## the long forms of the tests, and fuzzing for SOAK_FUZZ_TIME (200000x); tells what was counted
	@$(MAKE) --no-print-directory -k soak-go soak-app soak-page fuzz FUZZ_TIME=$(SOAK_FUZZ_TIME) 2>&1 | tee bin/soak.log | awk "$$SHOW_ROWS"

.PHONY: soak-go
soak-go:
	@TOPDECK_SOAK=1 go test -count=1 -v -p 1 -timeout 3h ./...

.PHONY: soak-app
soak-app:
	@cd frontend && TOPDECK_BIN=$(CURDIR)/bin/topdeck npm run --silent e2e -- origins.spec.ts looks.spec.ts
	@echo "row 2: in Chromium, a page on another port, under another name and of another site, and a name that is rebound: none reaches anything"
	@echo "row 13: in Chromium, names and arguments with markup and escapes are text, and there is no report of the CSP"

.PHONY: soak-page
soak-page:
	@cd frontend && TOPDECK_SOAK=1 npm run --silent bench:page

.PHONY: bench
bench: TEST_PACKAGES += chromium
bench: test-packages build ## measure beside the kernel's floor and the peers (on an idle machine), and write the table into README.md
	go run ./cmd/bench -rounds $(BENCH_ROUNDS) $(ARGS)

.PHONY: lighthouse
lighthouse: TEST_PACKAGES += chromium
lighthouse: test-packages build ## what Lighthouse says of the pages, as a phone and as a desktop (on an idle machine)
	@cd frontend && TOPDECK_BIN=$(CURDIR)/bin/topdeck npm run --silent bench:lighthouse

.PHONY: generate
generate: ## make the app's wire types, and the forms of what the server says, anew from the Go sources
	go test ./server -run 'TestWireTypesAreInStep|TestWhatIsSaidIsInStep' -update

.PHONY: fmt
fmt: frontend/node_modules/.package-lock.json ## format everything
	gofmt -w cmd server collector control frontend/*.go
	cd frontend && npm run --silent format

.PHONY: clean
clean: ## remove what was built
	rm -rf bin frontend/node_modules frontend/dist/*
