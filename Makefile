# Every target sets up what it needs first; a second run finds it there. preview, report, verify, usage
# and doctor change nothing.
STACK ?= demo
ARGS ?=
CLEAN ?=
KEY ?=
FROM ?= dev
MODEL ?=
IMAGES ?=
YES ?=
RESUME ?=
FILE ?=

toolchain := toolchain/bootstrap.sh

.DEFAULT_GOAL := help
.PHONY: help setup up preview chat report verify usage prune down new bundle test test-nightly test-matrix test-fast lint doctor env faults

help:
	@echo "make up         set everything up, converge the stack, print the model's answer"
	@echo "make preview    show what 'make up' would change; installs and starts nothing"
	@echo "make chat       talk to the model, in a terminal or a pipe; MODEL= where there are several"
	@echo "make report     write reports/STACK/index.html, a page that shows the stack, a card of each"
	@echo "                model and an SBOM of each image; KEY=signing.pem signs where each model"
	@echo "                comes from; changes nothing"
	@echo "make verify     KEY=signing.pem: find every byte of the models that is not as it was signed"
	@echo "make usage      tell the room on disk by model, run and kind, and what no stack refers to"
	@echo "make prune      show what no stack refers to, ask, remove it; YES=1 does not ask,"
	@echo "                IMAGES=1 takes images of earlier settings too"
	@echo "make down       destroy the stack; CLEAN=1 also removes images and downloads"
	@echo "make new        write the files of a new stack: make new STACK=prod FROM=dev; FROM may be"
	@echo "                a file such as examples/qlora-12gb, see docs/environments.md"
	@echo "make bundle     write bundles/STACK.tar, or FILE=: from it the stack goes up on a host without"
	@echo "                a network, see docs/carrying.md"
	@echo "make test       set everything up, run every test (ARGS=\"-k name\" goes to pytest)"
	@echo "make test-nightly  the tests that take longer; the result is kept in tests/nightly.txt"
	@echo "make test-matrix  families x methods x stages x types of weights, in an hour or two; writes"
	@echo "                docs/training_matrix.md; RESUME=1 leaves out what answered at this commit"
	@echo "make test-fast  the tests that need no engine, in under a minute"
	@echo "make faults     break a stack of its own at its steps, heal it with one up each time, write"
	@echo "                docs/faults.md; ARGS=\"cli-sft-at_work\" chooses faults by name"
	@echo "make lint       format, lint, types, shell scripts"
	@echo "make doctor     tell what is there, what is missing, what setup would do"
	@echo "make setup      only set up"
	@echo "make env        print the settings for a bare pulumi: eval \"\$$(make -s env)\""
	@echo "STACK=$(STACK) chooses the stack"

setup up preview doctor usage:
	@$(toolchain) $@ $(STACK)

chat:
	@$(toolchain) chat '$(STACK)' $(if $(MODEL),'$(MODEL)')

report verify:
	@$(toolchain) $@ $(STACK) $(if $(KEY),--key '$(KEY)')

prune:
	@$(toolchain) prune $(STACK) $(if $(filter-out 0,$(IMAGES)),--images) $(if $(filter-out 0,$(YES)),--yes)

down:
	@$(toolchain) down $(STACK) $(if $(filter-out 0,$(CLEAN)),--clean)

new:
	@$(toolchain) new '$(STACK)' '$(FROM)'

bundle:
	@$(toolchain) bundle '$(STACK)' $(if $(FILE),'$(FILE)')

# Two files at a time: most tests wait for containers at work. Without an engine, none is installed or
# started: make test ARGS="-m 'not engine'".
side_by_side := -n 2 --dist loadfile

test:
	@$(toolchain) test $(side_by_side) $(ARGS)

# What takes longer than a change should wait for; the result is kept.
test-nightly:
	@$(toolchain) test -m nightly -q --no-header -rA --durations=0 $(ARGS) | tee tests/nightly.txt

test-matrix:
	@MATRIX_RESUME=$(filter-out 0,$(RESUME)) $(toolchain) test -n 2 --maxschedchunk 1 -m matrix -v $(ARGS)

test-fast:
	@$(toolchain) test $(side_by_side) -m "not engine and not integration and not nightly" $(ARGS)

faults: setup
	@eval "$$($(toolchain) env)" && .venv/bin/python -m faults $(ARGS)

env:
	@$(toolchain) $@

lint:
	@$(toolchain)
	.venv/bin/ruff format --check .
	.venv/bin/ruff check .
	.venv/bin/mypy
	.venv/bin/shellcheck .ci/run $$(git ls-files '*.sh') toolchain/offline/language_host/pulumi-language-python
