# CAPNT. `make help` lists the targets. All tools except Go, git and make are built from pinned Go modules into .tools.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help

TOOLS := $(CURDIR)/.tools
BIN := $(TOOLS)/bin

KUBERNETES_VERSION := v1.36.3
PROVIDER_VERSION := 1.9.5

# A binary of provider 2.x for tests. It is not available as a Go module. Without it, tests of that version use the stand-in.
PROVIDER_2 ?=
PROVIDER_2_VERSION ?= 2.4.2

# The version of the built programs: the last tag, or otherwise the release series of metadata.yaml with the commit (if git is there).
VERSION ?= $(if $(filter v%,$(described)),$(described),$(series)-dev$(addprefix .g,$(described)))
described = $(shell git describe --tags --match 'v[0-9]*' --always --dirty 2>/dev/null)
series = v$(shell awk '/major:/ {major = $$NF} /minor:/ {minor = $$NF} END {print major "." minor ".0"}' metadata.yaml)

KEEP ?=
PROVIDER ?=
ANSWERS ?=
MANIFEST ?=
INVENTORY ?=
CREATE_LATENCY ?= 5s
PRISM_API ?=
API ?=

# Everything is compiled without cgo, so that binaries, scenarios and checks share the build cache. Only the race detector needs cgo.
export CGO_ENABLED := 0

# The compiler collects garbage less often: it takes less time and up to 1.5 GB. The compiled programs run with the defaults.
compiling := GOGC=400 GOMEMLIMIT=1GiB
# Results with -exec are not cached, and results of scenarios should not be.
scenario_test := $(compiling) go test -exec 'env -u GOGC -u GOMEMLIMIT' -vet=off

# The race detector needs a C compiler. Without one the tests run without it and print a message. RACE=off turns it off.
RACE ?= on
race := $(if $(filter-out off,$(RACE)),$(if $(shell command -v cc 2>/dev/null),-race))
racing := $(if $(race),CGO_ENABLED=1 GORACE=suppressions=$(CURDIR)/hack/race-suppressions.txt)

# Packages that embed all of Cluster API are compiled once, without the race detector, and tested with the scenarios.
cluster_scenarios := ./e2e/scenario/...
with_scenarios := ./e2e/ccm/... ./e2e/demo/... ./e2e/env/... ./e2e/module/... ./e2e/snapshot/... ./e2e/soak/... ./e2e/stack/...
units = $$(go list ./... | grep -vxFf <(go list $(cluster_scenarios) $(with_scenarios)))

RUNTIME_TOOLS := $(BIN)/etcd $(BIN)/kube-apiserver $(BIN)/kube-controller-manager $(BIN)/clusterctl $(BIN)/terraform \
	$(TOOLS)/mirror/.terraform.lock.hcl
provider_dir := $(TOOLS)/mirror/registry.terraform.io/nutanix/nutanix
# $(call provider_lock,version)
provider_lock = $(provider_dir)/$(1)/.terraform.lock.hcl
RUNTIME_TOOLS += $(if $(PROVIDER_2),$(call provider_lock,$(PROVIDER_2_VERSION)))

# The stand-in of provider 2.x, and 1.9.5, are in a mirror of their own. It is built only if there is no binary of 2.x.
STUB_VERSION := 2.4.2
stub_mirror := $(TOOLS)/mirror-stub
stub_dir := $(stub_mirror)/registry.terraform.io/nutanix/nutanix
RUNTIME_TOOLS += $(if $(PROVIDER_2)$(wildcard $(provider_dir)/2.*),,$(stub_mirror)/.terraform.lock.hcl)

# Prints the versions of the provider that the tests run with.
print_providers = echo "$@: nutanix provider" $$(ls $(provider_dir)) $$(test ! -d $(stub_dir)/$(STUB_VERSION) || \
	echo "and the stand-in of $(STUB_VERSION) (make tools PROVIDER_2=path adds the provider itself)")

# The scenario of approval through Git runs the controllers of Flux.
FLUX := $(BIN)/source-controller $(BIN)/kustomize-controller

DEVELOPER_TOOLS := $(BIN)/controller-gen $(BIN)/golangci-lint

##@ The two commands

.PHONY: demo
demo: tools build ## Create a running cluster from a manifest, then delete it (KEEP=1, MANIFEST=, INVENTORY=, CREATE_LATENCY=, PRISM_API=v4)
	@$(compiling) go build -o $(BIN)/demo ./e2e/demo/cmd # go run fails after an interrupt even if the program succeeds
	CAPNT_PRISM_API=$(PRISM_API) $(BIN)/demo $(if $(KEEP),--keep) $(if $(MANIFEST),--manifest $(MANIFEST)) \
		$(if $(INVENTORY),--inventory $(INVENTORY)) --create-latency $(CREATE_LATENCY)

.PHONY: test
test: unit scenarios ## Run all tests: unit tests, then the end-to-end scenarios

##@ Parts of the tests

# verify runs go vet. Here it would read all dependencies once more.
.PHONY: unit
unit: tools $(BIN)/helm ## Run the unit tests, with the race detector where there is a C compiler
	@$(print_providers)
	@$(if $(race),:,echo "unit: no C compiler (cc) found, or RACE=off: running without the race detector")
	@$(racing) $(compiling) go list -export -deps -test $(race) $(units) >/dev/null # compiles
	$(racing) go test -vet=off -timeout 30m $(race) $(units)

# The scenarios of clusters and of the cloud controller manager run at the same time. One of the latter takes five minutes.
.PHONY: scenarios
scenarios: tools $(FLUX) build ## Run the end-to-end scenarios (RUN=name selects one; PROVIDER=2.4.2, API=v4 and ANSWERS=other change what they run with)
	@$(MAKE) --no-print-directory -j2 cluster-scenarios ccm-scenarios

.PHONY: cluster-scenarios
cluster-scenarios: export CAPNT_PROVIDER_VERSION := $(PROVIDER)
cluster-scenarios: export CAPNT_PRISM_API := $(API)
cluster-scenarios:
	@$(print_providers)
	$(scenario_test) -v -count=1 -parallel 4 -timeout 60m $(cluster_scenarios) $(if $(RUN),-run '$(RUN)')

cluster-scenarios ccm-scenarios: export CAPNT_ANSWERS := $(ANSWERS)
.PHONY: ccm-scenarios
ccm-scenarios:
	$(scenario_test) -count=1 -timeout 30m $(with_scenarios) $(if $(RUN),-run '$(RUN)')

# A seed repeats the faults. Every run prints its seed. In addition to the kills, providers are killed alone, containers and pods end, leaders
# change, and the API server is unavailable for a minute.
.PHONY: soak
soak: tools build ## Run the long tests: 100 SIGKILLs and 20 other faults with 20 machines (SEED= repeats a run), slow creates, and 100 edits of a plan file
	$(scenario_test) -v -count=1 -timeout 5h ./e2e/soak -machines=20 -kills=100 -every=5 -outage=1m \
		-faults=provider,container,pod,leader,apiserver $(if $(SEED),-seed=$(SEED))
	$(scenario_test) -v -count=1 -timeout 60m ./e2e/scenario -run '^TestInterruptedCreateMakesOneVM$$' \
		-list-lag=30s -hold=40s -absence-period=3m
	$(scenario_test) -v -count=1 -timeout 60m ./e2e/scenario/installation -run '^TestEditedPlanFileIsPlannedAgain$$' -edited-bytes=100

# The figures depend on the machine. Compare the ratios, and the figures of one run with each other.
bench := $(scenario_test) -count=1 -timeout 60m ./e2e/soak -run '^$$' -benchtime 1x

.PHONY: bench
bench: tools build ## Measure CPU time per machine against a script, memory of plans, requests, the time until 50 machines are ready, and capnt
	$(bench) -bench 'CPUPerMachine|MemoryOfPlans|RequestsPerMachine'
	$(bench) -bench MachinesAtOnce -create-latency=5s
	$(scenario_test) -count=1 -timeout 60m ./controllers/nutanixmachine -run '^$$' -bench InSync -benchtime 1x -sync-machines=1000
	$(scenario_test) -count=1 -timeout 60m ./internal/cli -run '^$$' -bench ManyPlans -benchtime 20x

##@ Checks

.PHONY: verify
verify: generate lint ## Lint, and fail if generated code or go.mod is not up to date
	$(compiling) go vet ./...
	go mod tidy
	@git diff --exit-code -- . || { echo "verify: the files above are not up to date: run 'make generate' and 'go mod tidy', then commit"; exit 1; }
	@test -z "$$(git status --porcelain -- api config)" || { git status --short -- api config; echo "verify: generated files are not committed: run 'make generate'"; exit 1; }

# Each checkout has a linter cache of its own, because the cache contains the paths of files. In another checkout the exclusions of
# .golangci.yml would not match them.
.PHONY: lint
lint: export GOLANGCI_LINT_CACHE := $(TOOLS)/golangci-lint-cache$(CURDIR)
lint: $(BIN)/golangci-lint ## Run golangci-lint
	$(BIN)/golangci-lint run ./...
	cd e2e/providerstub && $(BIN)/golangci-lint run --config $(CURDIR)/.golangci.yml .

.PHONY: generate
generate: $(BIN)/controller-gen ## Generate deepcopy code, CRDs, RBAC, webhook manifests and cluster templates
	$(BIN)/controller-gen object paths=./api/...
	$(BIN)/controller-gen crd:allowDangerousTypes=false paths=./api/... output:crd:dir=config/crd/bases
	$(BIN)/controller-gen rbac:roleName=manager-role paths=./controllers/... output:rbac:dir=config/rbac
	$(BIN)/controller-gen webhook paths=./internal/admission/... output:webhook:dir=config/webhook
	$(compiling) go run ./hack/templates

# The manager of the release runs in the current stack, so the current tools must be able to run it.
.PHONY: release-snapshot
release-snapshot: tools build $(BIN)/kustomize ## Write the objects and VMs of a release as test data (RELEASE=v0.1.0 COMMIT=3bc9593)
	$(compiling) hack/release-snapshot.sh $(RELEASE) $(COMMIT) $(TOOLS) $(BIN)/kustomize

##@ Building

.PHONY: build
build: $(BIN)/capnt-manager $(BIN)/capnt-ccm $(BIN)/capnt ## Build the manager, the cloud controller manager and the command line program

.PHONY: $(BIN)/capnt-manager $(BIN)/capnt-ccm $(BIN)/capnt
$(BIN)/capnt-manager $(BIN)/capnt-ccm $(BIN)/capnt:
	@echo "building $(notdir $@)"
	@$(compiling) go build -tags "$(tags)" -ldflags "$(versions)" -o $@ ./cmd/$(notdir $@)

$(BIN)/capnt-manager $(BIN)/capnt: versions = -X main.release=$(VERSION)

# The version is that of Kubernetes with build metadata, because the code of Kubernetes does not know its feature gates in other
# versions.
$(BIN)/capnt-ccm: versions = $(call kubernetes_flags,+capnt-$(VERSION)) -X $(version)/verflag.programName=capnt-ccm

# Without the tracing pages of gRPC, which are not served, the linker omits a third of the program, and the process takes 20 MB less.
$(BIN)/capnt-ccm: tags := grpcnotrace

.PHONY: tools
tools: ## Build the pinned tools that tests and demo need, two at a time
	@$(MAKE) --no-print-directory -j2 runtime-tools

.PHONY: runtime-tools
runtime-tools: $(RUNTIME_TOOLS)

# Each tool has a Go module of its own below hack/tools, which pins it and its dependencies. -trimpath is not used, because the standard
# library would be compiled once more.
# $(call build,module directory,packages,output,linker flags)
define build
@echo "building $(notdir $@) (once; pinned in hack/tools/$(1)/go.mod)"
@mkdir -p $(BIN)
@cd hack/tools/$(1) && $(compiling) go build -ldflags "-s -w $(4)" -o $(3) $(2)
endef

version := k8s.io/component-base/version
# $(call kubernetes_flags,build metadata)
kubernetes_flags = -X $(version).gitVersion=$(KUBERNETES_VERSION)$(1) -X $(version).gitMajor=$(word 1,$(subst ., ,$(KUBERNETES_VERSION:v%=%))) \
	-X $(version).gitMinor=$(word 2,$(subst ., ,$(KUBERNETES_VERSION:v%=%)))

$(BIN)/etcd: hack/tools/etcd/go.mod
	$(call build,etcd,go.etcd.io/etcd/server/v3,$@)

# Both are built at once, because they share most of their packages.
$(BIN)/kube-apiserver $(BIN)/kube-controller-manager &: hack/tools/kubernetes/go.mod
	$(call build,kubernetes,k8s.io/kubernetes/cmd/kube-apiserver k8s.io/kubernetes/cmd/kube-controller-manager,$(BIN)/,$(kubernetes_flags))

$(BIN)/clusterctl: hack/tools/clusterctl/go.mod
	$(call build,clusterctl,sigs.k8s.io/cluster-api/cmd/clusterctl,$@)

$(BIN)/kustomize: hack/tools/kustomize/go.mod
	$(call build,kustomize,sigs.k8s.io/kustomize/kustomize/v5,$@)

$(BIN)/helm: hack/tools/helm/go.mod
	$(call build,helm,helm.sh/helm/v4/cmd/helm,$@,-X helm.sh/helm/v4/internal/version.version=v4.2.4)

# Both are built at once, because they share most of their packages. Their CRDs are copied to $(TOOLS)/flux.
$(FLUX) &: hack/tools/flux/go.mod
	$(call build,flux,github.com/fluxcd/source-controller github.com/fluxcd/kustomize-controller,$(BIN)/)
	@mkdir -p $(TOOLS)/flux
	@cd hack/tools/flux && install -m 644 $$(go list -f '{{.Dir}}/config/crd/bases/*.yaml' \
		github.com/fluxcd/source-controller github.com/fluxcd/kustomize-controller) $(TOOLS)/flux

$(BIN)/controller-gen: hack/tools/controller-gen/go.mod
	$(call build,controller-gen,sigs.k8s.io/controller-tools/cmd/controller-gen,$@)

$(BIN)/golangci-lint: hack/tools/golangci-lint/go.mod
	$(call build,golangci-lint,github.com/golangci/golangci-lint/v2/cmd/golangci-lint,$@)

$(BIN)/tofu: hack/tools/opentofu/go.mod
	$(call build,opentofu,github.com/opentofu/opentofu/cmd/tofu,$@,-X github.com/opentofu/opentofu/version.dev=no)

$(BIN)/terraform-provider-nutanix: hack/tools/provider/go.mod
	$(call build,provider,github.com/terraform-providers/terraform-provider-nutanix,$@)

# The Terraform of tests and demo: TERRAFORM=path, which must be usable; otherwise the one on PATH, otherwise a download, otherwise
# OpenTofu built here.
$(BIN)/terraform: $(if $(TERRAFORM),named-terraform)
	@mkdir -p $(BIN)
	@path=$$(go run ./hack/terraform --path "$(TERRAFORM)" --install-dir $(TOOLS)/terraform) || { \
		test -z "$(TERRAFORM)" || exit 1; \
		echo "terraform: none found and none could be downloaded: building OpenTofu instead"; \
		$(MAKE) --no-print-directory $(BIN)/tofu && path=$(BIN)/tofu; } && ln -sfn "$$path" $@ && echo "using $$path"

# TERRAFORM=path is checked each time.
.PHONY: named-terraform
named-terraform:

$(TOOLS)/mirror/.terraform.lock.hcl: $(BIN)/terraform-provider-nutanix $(BIN)/terraform hack/tools/mirror.sh
	@echo "creating the provider mirror"
	@hack/tools/mirror.sh $(TOOLS)/mirror $(BIN)/terraform-provider-nutanix $(PROVIDER_VERSION) $(BIN)/terraform
	@cp $(call provider_lock,$(PROVIDER_VERSION)) $@

$(call provider_lock,$(PROVIDER_2_VERSION)): $(PROVIDER_2) $(BIN)/terraform hack/tools/mirror.sh
	@echo "adding provider $(PROVIDER_2_VERSION) to the mirror"
	@hack/tools/mirror.sh $(TOOLS)/mirror $(PROVIDER_2) $(PROVIDER_2_VERSION) $(BIN)/terraform

$(BIN)/providerstub: $(wildcard e2e/providerstub/*)
	@echo "building $(notdir $@) (stand-in of provider $(STUB_VERSION))"
	@mkdir -p $(BIN)
	@cd e2e/providerstub && $(compiling) go build -ldflags "-s -w" -o $@ .

$(stub_mirror)/.terraform.lock.hcl: $(BIN)/providerstub $(BIN)/terraform-provider-nutanix $(BIN)/terraform hack/tools/mirror.sh
	@echo "creating the mirror with the stand-in of provider $(STUB_VERSION)"
	@hack/tools/mirror.sh $(stub_mirror) $(BIN)/terraform-provider-nutanix $(PROVIDER_VERSION) $(BIN)/terraform
	@hack/tools/mirror.sh $(stub_mirror) $(BIN)/providerstub $(STUB_VERSION) $(BIN)/terraform stand-in
	@cp $(stub_dir)/$(PROVIDER_VERSION)/.terraform.lock.hcl $@

.PHONY: clean
clean: ## Remove everything that was built
	rm -rf $(TOOLS)

##@ Help

.PHONY: help
help: ## List the targets
	@awk 'BEGIN {FS = ":.*##"} /^##@/ {printf "\n%s\n", substr($$0, 5)} /^[a-zA-Z_-]+:.*##/ {printf "  %-12s%s\n", $$1, $$2}' $(MAKEFILE_LIST)
