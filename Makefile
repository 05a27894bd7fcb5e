# tollgate: `make run` serves this repository's own site, `make test` tests everything.

CARGO ?= cargo
CC ?= cc
TARGET ?= $(shell uname -m)-unknown-linux-musl

# The program of www/toll.html, kept running; left out where there is no Python to run it.
TOLL ?= $(shell command -v python3 >/dev/null 2>&1 && echo "-f '/toll/=exec:cgi-bin/toll.py | processes=2'")

# In a container one is root, which programs are not run by unless that is allowed.
ROOT ?= $(shell [ "$$(id -u)" != 0 ] || echo --allow-root)

.PHONY: help run build hello toll bench bench-quick bench-report bench-parsers test check fuzz static clean

help: ## list what can be made
	@sed -n 's/^\([a-z-]*\):.*## /  make \1	/p' Makefile | expand -t 22

run: build hello ## build, and serve www and cgi-bin at http://127.0.0.1:8080 (ARGS="..." for options)
	target/release/tollgate $(ROOT) $(TOLL) $(ARGS) .

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

bench: build ## compare with lighttpd, nginx, Apache and busybox: rates, times, memory (ARGS="..." for options)
	@bench/install
	$(CARGO) build --release --locked --no-default-features --target-dir target/no-default
	python3 -m bench --no-default-binary target/no-default/release/tollgate $(ARGS)

bench-quick: build ## the same in less than two minutes
	@bench/install
	python3 -m bench --quick $(ARGS)

bench-report: ## write docs/performance.md and its pictures from the last figures (FILES="..." for others)
	python3 -m bench.document $(FILES)

bench-parsers: ## measure the parsers alone
	$(CARGO) bench --locked --bench parsers $(ARGS)

test: hello ## run all tests; on Debian, install first what they need and is missing
	@.ci/install
	$(CARGO) test --locked
	$(CARGO) test --locked --no-default-features

check: ## formatting, clippy, documentation and layers; a warning is an error
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings
	$(CARGO) clippy --locked --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc --locked --no-deps
	$(CARGO) test --locked --test layering

fuzz: ## run each fuzz target for a short while
	fuzz/run

static: ## build a static binary for this machine, or for TARGET=...
	rustup target add $(TARGET)
	$(CARGO) build --release --locked --target $(TARGET)
	@echo "target/$(TARGET)/release/tollgate"

clean: ## remove what was built
	$(CARGO) clean
	rm -f cgi-bin/hello-c
