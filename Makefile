# tollgate: `make run` serves this repository's own site, `make test` tests everything.

CARGO ?= cargo
CC ?= cc
TARGET ?= $(shell uname -m)-unknown-linux-musl

# What `make test-cross` runs.
CROSS ?= aarch64-unknown-linux-musl armv7-unknown-linux-musleabihf

# Where `make install` puts things; DESTDIR comes before it, for those who pack.
PREFIX ?= /usr/local
DESTDIR ?=
# What is installed: the static binary where there is one.
BINARY ?= $(firstword $(wildcard target/$(TARGET)/release/tollgate target/release/tollgate))

# The program of www/toll.html, kept running; left out where there is no Python to run it.
TOLL ?= $(shell command -v python3 >/dev/null 2>&1 && echo "-f '/toll/=exec:cgi-bin/toll.py | processes=2'")

# In a container one is root, which programs are not run by unless that is allowed.
TOLLGATE_AS_ROOT := $(shell [ "$$(id -u)" != 0 ] || echo --allow-root)

.PHONY: help run build hello toll learn bench bench-quick bench-report bench-parsers test torture soak check deny fuzz fuzz-differential static image kubernetes documents install uninstall deb test-deb dist reproducible test-cross picture release-check clean

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 26

run: build hello ## build, and serve www and cgi-bin at http://127.0.0.1:8080 (ARGS="..." for options)
	target/release/tollgate $(TOLLGATE_AS_ROOT) $(TOLL) $(ARGS) .

build:
	$(CARGO) build --release --locked

# Not a file target: without a compiler a program that says so takes its place.
hello:
	@if command -v $(CC) >/dev/null 2>&1; then \
		echo "$(CC) -O2 -o cgi-bin/hello-c examples/hello.c"; \
		$(CC) -O2 -Wall -o cgi-bin/hello-c examples/hello.c; \
	else \
		echo "no C compiler ($(CC)): cgi-bin/hello-c will say so"; \
		cp examples/hello-c.sh cgi-bin/hello-c && chmod +x cgi-bin/hello-c; \
	fi

toll: build ## measure one program as CGI and as FastCGI, and print a table
	@examples/toll-bench

learn: ## write www/learn/ from docs/course/, of which it is the pages
	$(CARGO) build --locked --examples
	TOLLGATE_WRITE_LEARN=1 $(CARGO) test --locked --test integration the_pages_are_the_lessons

bench: static ## compare with lighttpd, nginx, Apache and busybox: rates, times, memory (ARGS="..." for options)
	@bench/install
	dist/static $(TARGET) --no-default-features --target-dir target/no-default
	python3 -m bench --tollgate target/$(TARGET)/release/tollgate \
		--no-default-binary target/no-default/$(TARGET)/release/tollgate $(ARGS)

bench-quick: static ## the same in less than two minutes
	@bench/install
	python3 -m bench --quick --tollgate target/$(TARGET)/release/tollgate $(ARGS)

bench-report: ## write docs/performance.md and its pictures from the last figures (FILES="..." for others)
	python3 -m bench.document $(FILES)

bench-parsers: ## measure the parsers alone
	$(CARGO) bench --locked --bench parsers $(ARGS)

# The end-to-end tests run the binary that TESTED names in place of the one that was just built, with the default
# features, where it is given.
test: hello ## run all tests; on Debian, install first what they need and is missing
	@.ci/install
	$(if $(TESTED),TOLLGATE_BIN='$(TESTED)') $(CARGO) test --locked
	$(CARGO) test --locked --no-default-features
	$(CARGO) test --locked --features fault-points --test faults

torture: build ## do to the server whatever the internet does, in minutes (ARGS="slow many-idle" for some of it)
	$(CARGO) build --locked --examples
	TOLLGATE_BIN=$(CURDIR)/target/release/tollgate $(CARGO) test --locked --test torture -- $(ARGS)

soak: build ## mixed traffic for ten minutes (SECONDS=... for others), during which nothing may grow
	$(CARGO) build --locked --examples
	TOLLGATE_BIN=$(CURDIR)/target/release/tollgate $(CARGO) test --locked --test torture -- soak $(ARGS)

check: ## formatting, clippy, documentation and layers; a warning is an error
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	$(CARGO) clippy --locked --test torture -- -D warnings
	$(CARGO) clippy --locked --test torture --no-default-features -- -D warnings
	$(CARGO) clippy --locked --all-targets --features fault-points -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	$(CARGO) test --locked --test layering
	@! $(CARGO) tree --locked --quiet --duplicates -e normal | grep . || { echo 'two versions of one crate'; exit 1; }

deny: ## crates: known vulnerabilities, licences, sources, versions (ARGS="bans licenses sources" without GitHub)
	@$(CARGO) deny --version >/dev/null 2>&1 || $(CARGO) install cargo-deny --locked
	$(CARGO) deny check $(ARGS)

fuzz: ## run each fuzz target for a short while
	fuzz/run

fuzz-differential: build ## send the same random requests to tollgate, lighttpd and nginx (ARGS="..." for options)
	python3 -m fuzz.differential $(ARGS)

static: ## build a static binary for this machine, or for TARGET=...
	dist/static $(TARGET)
	@echo "target/$(TARGET)/release/tollgate"

image: static ## build a container image FROM scratch, and look into it (buildah of Debian, or podman, or docker)
	dist/image target/$(TARGET)/release/tollgate

kubernetes: ## hold the manifests of examples/kubernetes to the schemas of its API
	dist/validate-kubernetes examples/kubernetes/tollgate.yaml

documents: ## write the manual pages, the completions and docs/options.md anew, from the table of options
	$(CARGO) run --quiet --locked --example documents

install: ## install what `make static` or `make build` built, with its pages, below PREFIX (/usr/local)
	@dist/install install '$(BINARY)' '$(DESTDIR)' '$(PREFIX)'

uninstall: ## remove what `make install` installed
	@dist/install uninstall '$(BINARY)' '$(DESTDIR)' '$(PREFIX)'

deb: static ## build a Debian package of the static binary
	@$(CARGO) deb --version >/dev/null 2>&1 || $(CARGO) install cargo-deb --locked
	$(CARGO) deb --no-build --no-strip --target $(TARGET) --output target/tollgate.deb

test-deb: deb ## install, upgrade, remove and purge that package, in a folder of its own
	dist/test-deb target/tollgate.deb

dist: ## build for every processor, with bills of materials and SHA256SUMS, in target/dist (ARGS="TARGET..." for some)
	dist/release $(ARGS)

reproducible: ## build the last commit twice, in two places: the same bytes (ARGS="TARGET..." for others than two)
	dist/reproducible $(ARGS)

test-cross: ## run the end-to-end tests against the binaries for aarch64 and armv7, under qemu-user (CROSS="TARGET..." for others)
	@for target in $(CROSS); do dist/static $$target && dist/test-cross $$target $(ARGS) || exit 1; done

picture: build ## take docs/console.png of the real console, with the browser of its test
	cd tests/console && TOLLGATE_BIN=$(CURDIR)/target/release/tollgate node picture.mjs

release-check: ## go through all that has to hold before a release (STEPS="tree versions" for some of it)
	@dist/release-check $(STEPS)

clean: ## remove what was built
	$(CARGO) clean
	rm -f cgi-bin/hello-c
