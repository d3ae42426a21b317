# Everything a person or a CI job does with this repository. `make` alone lists the targets.
# One build folder (.build) and one configuration (release) serve tests and programs alike, so
# nothing is compiled twice.

SHELL := /usr/bin/env bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help setup build test unit tidy demo lint format api dashboard tools clean

help: ## Show the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## Install the Debian packages that are missing, and check Swift
	@tools/setup

build: setup ## Compile the programs and the tests
	@tools/build --tests

test: setup ## Lint, build, then unit, tidy and end-to-end tests
	@tools/test

unit: build ## Only the tests of the modules (FILTER=AegisCoreTests for some of them)
	@swift test -c release --skip-build --disable-xctest $(if $(FILTER),--filter '$(FILTER)')

tidy: build ## Only the checks of layout, imports and habits
	@swift test -c release --skip-build --disable-xctest --filter TidyTests

demo: setup ## Five real nodes train one private model on this machine
	@tools/build
	@simulations/demo $(DEMO)

lint: tools ## Check formatting, scripts and the CI workflow
	@tools/lint

format: ## Rewrite the Swift files in the project's format
	@swift format -i -r --configuration .swift-format Package.swift Sources Tests agents simulations

api: setup ## Check the admin API from outside: OpenAPI, made-up requests, TLS
	@tools/build
	@tools/api-check

dashboard: setup ## Drive the dashboard in a headless Chromium, with pictures
	@tools/build
	@tools/dashboard-check

tools: setup ## Python tools for lint and interoperability tests, in .build/python
	@tools/python

clean: ## Remove what was built, and the results of the demo
	@rm -rf .build demo-results mesh
	@echo "removed .build, demo-results and mesh"
