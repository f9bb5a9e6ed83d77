# deps: what tests need that Go can't install, on Debian and Ubuntu
# man: the manual pages, into bin/man    release: what a tag publishes; release-check: the same without publishing
# demo: the tour of Serin in a throw-away folder    build: into bin/
# test: everything, in the size that finds most; with the race detector where there are goroutines
# test-core: what needs no more than Go, and a list of what was left out
# soak: everything in full size, which takes hours    fuzz: every fuzz target for FUZZTIME
# chaos: SEEDS random histories of faults that clients live through, and clients killed while they update
# simulate: how fast guards find faults, and how often they see faults that aren't there
# check: formatting, vet, staticcheck, workflows, the repository's flags, known vulnerabilities
# bench: beside other systems, into bench/results    bench-shapes: the same along one axis at a time
# bench-tail: single calls during updates               bench-packages: benchmarks of the packages
# bench-serve: the server beside servers that decide nothing, and while it is attacked
# bench-lambda: cold starts of the Lambda function, beside a function that says hello
# arm64: the evaluator and the bundles give the same answers on arm64, which QEMU emulates

# The S3 server that the tests run against, in bin/ so that it can't be another version.
VERSITYGW_VERSION = $(shell sed -n 's|^require github.com/versity/versitygw ||p' tools/versitygw/go.mod)
VERSITYGW         = bin/versitygw-$(VERSITYGW_VERSION)
# AWS's own emulator of Lambda, and where internal/needs has the same version.
RIE_VERSION       = v0.0.0-20261030222936-bef5c4ba774d
RIE               = bin/aws-lambda-rie-$(RIE_VERSION)
SUITE             = bin/suite
# Where govulncheck reads: without access to it, a copy, such as file:///srv/vulndb.
VULNDB            = https://vuln.go.dev
FUZZTIME          = 1m
GORELEASER        = go run github.com/goreleaser/goreleaser/v2@v2.17.0
SEEDS             = 60
ENV               = SERIN_VERSITYGW="$(CURDIR)/$(VERSITYGW)" SERIN_RIE="$(CURDIR)/$(RIE)"
TOOL              = go tool -modfile="$(CURDIR)/tools/go.mod"

.PHONY: deps needs demo test test-core check bench bench-shapes bench-tail bench-lambda bench-packages build man release release-check fuzz soak chaos simulate arm64

# What tests run that Go can't install, and the packages of Debian and Ubuntu that have it.
MISSING  = $(if $(shell command -v chromium || command -v chromium-browser || command -v google-chrome),,chromium) \
           $(if $(shell PATH="$$PATH:/usr/sbin" command -v nginx),,nginx) $(if $(shell command -v caddy),,caddy) \
           $(if $(shell command -v buildah),,buildah) $(if $(shell command -v openssl),,openssl) \
           $(if $(shell command -v promtool),,prometheus) $(if $(shell command -v ansible-playbook),,ansible-core)
PACKAGES = chromium nginx caddy buildah crun openssl prometheus ansible-core

deps:
	@[ -z "$(strip $(MISSING))" ] || { command -v apt-get >/dev/null || { echo "install these:$(MISSING) (on Debian, the packages" \
		"$(PACKAGES))" >&2; exit 1; }; apt-get update -q && apt-get -o DPkg::Lock::Timeout=300 install -qy \
		--no-install-recommends $(PACKAGES); }

demo:
	go run ./cmd/serin demo

# The race detector makes tests five times slower and compiles all that they link once more. With it run the packages
# whose own goroutines share memory and, of the others, the tests that have Concurrent in their names; of the command,
# which links more than all the rest, in a soak. TestFaultsFromS3 links the AWS SDK, and runs without. All others run
# with the flags of the programs that tests build, so that these packages are compiled once; GOFLAGS hands the flags to
# the go commands that tests run. In the AWS SDK nothing is inlined, which halves the time to compile it. In the
# evaluator's tests, conversions of pointers are checked. Nothing is vetted, which make check does. SUITE is go test
# that also searches what tests print for the personal data and secrets that tests plant.
RACE       = ./lambda ./lambda/access ./sdk ./sdk/migrate ./sdk/openfeature ./sdk/otel ./sdk/sdktest ./sdk/shadow ./sdk/trafficlog
CONCURRENT = $$(grep -rl --include='*_test.go' '^func Test.*Concurrent' bundle ci evaluator internal | xargs -n1 dirname | sort -u | sed 's|^|./|')
OTHERS     = $$(go list ./... | grep -vxF "$$(go list $(RACE) ./evaluator)")
GOTEST     = "$(CURDIR)/$(SUITE)" -vet=off -timeout 10m
PLAINLY    = CGO_ENABLED=0 GOFLAGS="$$(go env GOFLAGS) -trimpath '-gcflags=github.com/aws/...=-l'"
PLAIN      = $(PLAINLY) $(GOTEST)
RACING     = $(GOTEST) -race
CHECKPTR   = -gcflags=$$(go list ./evaluator)=-d=checkptr -gcflags=github.com/spaolacci/murmur3=-d=checkptr

needs:
	@[ -z "$(strip $(MISSING))" ] || { echo "the tests need $(MISSING): make deps installs them on Debian and Ubuntu" >&2; exit 1; }

test: needs $(VERSITYGW) $(RIE) $(SUITE)
	$(ENV) $(PLAIN) $(OTHERS)
	$(PLAIN) $(CHECKPTR) ./evaluator
	$(ENV) $(PLAIN) -run FromS3 ./sdk
	$(ENV) $(RACING) $(RACE)
	$(ENV) $(RACING) -run Concurrent $(CONCURRENT)
	cd bench && $(PLAIN) ./...

# What needs no more than Go and git. What else there is isn't run, and is listed.
test-core: $(VERSITYGW) $(RIE)
	@$(ENV) SERIN_CORE=1 $(PLAINLY) go test -vet=off -timeout 10m -v ./... >bin/test-core.log 2>&1; status=$$?; grep -E '^(ok|FAIL|panic)|--- FAIL' bin/test-core.log; \
		echo "left out, since they need more than Go:"; grep -B1 -E -- '--- SKIP|it needs' bin/test-core.log | \
		sed -nE 's/.*--- SKIP: ([^ ]+).*/  \1/p' | sort -u; exit $$status

check:
	@files=$$(gofmt -l .); [ -z "$$files" ] || { echo "not formatted, run gofmt -w on:" $$files >&2; exit 1; }
	go vet ./...
	@for os in darwin windows; do echo "GOOS=$$os go vet ./..."; GOOS=$$os go vet ./... || exit; done
	$(TOOL) staticcheck ./...
	cd bench && go vet ./... && $(TOOL) staticcheck ./...
	cd tools/versitygw && go vet ./... && $(TOOL) staticcheck ./...
	$(TOOL) actionlint .github/workflows/*.yml ci/releases.yml
	go run ./cmd/serin check flags
	go run ./cmd/serin fmt --check flags
	go run ./cmd/serin test flags
	@echo govulncheck -db $(VULNDB) ./...; $(TOOL) govulncheck -db $(VULNDB) ./... || { status=$$?; [ $$status = 3 ] || \
		echo "govulncheck did not finish: if it can't reach $(VULNDB), set VULNDB to the URL of a copy" >&2; exit $$status; }

bench:
	cd bench && go run ./report

bench-shapes:
	cd bench && go run ./shapes

bench-lambda: $(RIE)
	$(ENV) go test -vet=off ./lambda/bootstrap -run '^$$' -bench ColdStart -benchtime 100x

bench-tail:
	cd bench && go run ./tail

bench-serve:
	cd bench && go run ./serve

bench-packages: $(VERSITYGW)
	$(ENV) go test -run='^$$' -bench=. -benchmem ./evaluator ./bundle ./sdk ./ci ./ci/batch ./ci/diff ./ci/experiment \
		./ci/guard/prometheus ./cmd/serin

build:
	CGO_ENABLED=0 go build -trimpath -o bin/ ./cmd/serin
	GOOS=linux GOARCH=arm64 CGO_ENABLED=0 go build -trimpath -tags=lambda.norpc -ldflags='-s -w' -o bin/ ./lambda/bootstrap

man:
	go run ./cmd/serin man bin/man

release:
	$(GORELEASER) release --clean

release-check:
	$(GORELEASER) check
	$(GORELEASER) release --snapshot --clean

fuzz:
	@set -e; pkgs=$$(go list ./...); for pkg in $$pkgs; do \
		list=$$(go test -list '^Fuzz' $$pkg) || { echo "$$list" >&2; exit 1; }; \
		for target in $$(echo "$$list" | grep '^Fuzz'); do \
			go test -run='^$$' -fuzz="^$$target\$$" -fuzztime=$(FUZZTIME) -fuzzminimizetime=20x $$pkg; done; done

soak: needs $(VERSITYGW) $(RIE)
	$(ENV) SERIN_SOAK=1 go test -timeout 0 ./...
	$(ENV) go test -race -run Concurrent ./cmd/serin

chaos:
	SERIN_SOAK=1 go test ./sdk -run 'TestChaos$$|TestKilledWhileUpdating$$' -v -timeout 0 -chaos.seeds=$(SEEDS) -kills=150

simulate:
	SERIN_SOAK=1 go test ./ci/internal/sequential -run Simulate -v -timeout 0

# The vectors and the differential tests, with everything that depends on the order of bytes or on alignment: hashes,
# lists of IDs, payloads and their fingerprints. Without cgo, the tests are static programs.
QEMU      = qemu-aarch64-static
ON_ARM64  = GOARCH=arm64 CGO_ENABLED=0 go test -vet=off -timeout 1h -trimpath -exec $(QEMU)
SAME      = Vectors|Differential|Corners|FoldTable|Hash|IDSet|SymbolLists|Fingerprints|Payload[A-Z]|Columns|Format2

arm64:
	@command -v $(QEMU) >/dev/null || { echo "there is no $(QEMU): install it, such as with" \
		"'apt-get install qemu-user-static', or name another one with QEMU=qemu-aarch64" >&2; exit 1; }
	$(ON_ARM64) -run '$(SAME)' ./evaluator ./bundle

$(SUITE): internal/canary/canary.go internal/canary/suite/main.go
	@CGO_ENABLED=0 go build -trimpath -o $@ ./internal/canary/suite

$(VERSITYGW): tools/versitygw/main.go tools/versitygw/go.mod
	@cd tools/versitygw && $(PLAINLY) go build -gcflags='github.com/...=-l' -o "$(CURDIR)/$@" . || \
		{ echo "the tests need versitygw $(VERSITYGW_VERSION), and 'go build' could not fetch and build it (see above)" >&2; exit 1; }

$(RIE):
	@GOBIN="$(CURDIR)/bin" CGO_ENABLED=0 go install -trimpath \
		github.com/aws/aws-lambda-runtime-interface-emulator/cmd/aws-lambda-rie@$(RIE_VERSION) && mv bin/aws-lambda-rie $@ || \
		{ echo "the tests need aws-lambda-rie $(RIE_VERSION), and 'go install' could not fetch and build it (see above)" >&2; exit 1; }
