# The commands of this repository. What a command needs and the machine lacks is installed from
# Debian's packages, and said beforehand.

FUZZ_SECONDS ?= 600
.DEFAULT_GOAL := help
.PHONY: help demo test lint bench fuzz schemas accept

help: ## Tell what there is
	@sed -n 's/^\([a-z]*\): .*## /make \1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## Show everything at work on this machine: no cluster, no configuration, nothing left behind
	@.ci/install compiler git postgresql
	cargo build --locked
	@target/debug/tenantry demo

test: ## Run every test; set KUBEBUILDER_ASSETS to run them against a real API server too
	@.ci/install compiler git certificates ssh xz postgresql
	cargo test --locked --no-fail-fast

lint: ## Check the layout, the lints, the documentation, and that one crypto library is all there is
	@.ci/install compiler
	cargo fmt --check
	cargo clippy --locked --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --document-private-items
	@for crate in aws-lc-sys openssl-sys; do \
	  if cargo tree --locked --target all -i $$crate 2>/dev/null | grep .; then \
	    echo "error: $$crate is in the tree: ring is the only crypto library"; exit 1; \
	  fi; \
	done

bench: ## Measure; the summary is what the README quotes
	@.ci/install compiler git postgresql xz
	cargo bench --locked

fuzz: ## Look for panics and unbounded work, FUZZ_SECONDS each
	@.ci/install compiler c++
	@cargo fuzz --version >/dev/null 2>&1 || { echo "Installing cargo-fuzz"; cargo install --quiet --locked cargo-fuzz; }
	@cp Cargo.lock fuzz/Cargo.lock
	@for target in $$(cargo fuzz list); do \
	  mkdir -p fuzz/corpus/$$target; \
	  RUSTC_BOOTSTRAP=1 cargo fuzz run $$target fuzz/corpus/$$target fuzz/seeds/$$target tenants-example templates -- \
	    -max_total_time=$(FUZZ_SECONDS) -timeout=5 -max_len=65536 -rss_limit_mb=1024 -dict=fuzz/dictionaries/$$target.dict || exit 1; \
	done

schemas: ## Write schemas/ again after a change of the model
	cargo run --quiet --locked -- schema --write schemas

accept: ## Run the tests and take what they show now as right; look at the difference afterwards
	INSTA_UPDATE=always cargo test --locked
