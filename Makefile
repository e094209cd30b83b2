# make run    does the main job on a fresh Debian or Ubuntu machine with a Rust toolchain
# make test   runs every test
# Both install what they need.

RECIPE ?= debian-12
CARGO ?= cargo

.PHONY: run test lint prerequisites clean

run: prerequisites
	$(CARGO) run --locked -- run $(RECIPE)

test: prerequisites
	@./scripts/test-prerequisites
	$(CARGO) test --locked

lint:
	$(CARGO) fmt --check
	$(CARGO) clippy --locked --all-targets -- -D warnings

prerequisites:
	@./scripts/prerequisites

clean:
	rm -rf .amiforge
