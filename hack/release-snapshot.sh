#!/bin/sh
# Writes the objects and VMs that a release leaves in a management cluster and in Prism Central as test data; see e2e/snapshot.
# Usage: release-snapshot.sh NAME COMMIT TOOLS KUSTOMIZE
set -eu
name=$1 commit=$2 tools=$3 kustomize=$4

root=$PWD
checkout=$tools/release/$name
out=$root/e2e/testdata/$name
git worktree remove --force "$checkout" 2>/dev/null || true
git worktree add --quiet --detach "$checkout" "$commit"
trap 'git -C "$root" worktree remove --force "$checkout"' EXIT

echo "building the manager of $name"
mkdir -p "$checkout/.tools/bin"
(cd "$checkout" && go build -ldflags "-X main.release=$name" -o .tools/bin/capnt-manager ./cmd/capnt-manager)

rm -rf "$out/objects" "$out/templates"
mkdir -p "$out/templates"
cp "$checkout"/config/templates/cluster-template*.yaml "$out/templates/"
cp "$root/e2e/prismsim/testdata/inventory.yaml" "$out/inventory.yaml"
"$kustomize" build "$checkout/config/default" | awk -v crds="$out/crds.yaml" -v rest="$out/manager.yaml" '
	function flush() { if (document != "") { print "---" >file; printf "%s", document >file }; document = ""; file = rest }
	BEGIN { file = rest; printf "" >crds; printf "" >rest }
	/^---$/ { flush(); next }
	/^kind: CustomResourceDefinition$/ { file = crds }
	{ document = document $0 "\n" }
	END { flush() }'
go run ./e2e/snapshot/cmd --repository "$root" --release "$checkout" --out "$out"
echo "wrote $out"
