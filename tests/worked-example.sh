#!/usr/bin/env bash
# Runs the commands of specs/changing-a-lock.md on a copy of the tree, and compares what they print with the page.
# With --write it writes what they print into the page.
set -euo pipefail
cd "$(dirname "$0")/.."
page=specs/changing-a-lock.md

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# The copy has a target directory of its own: cargo takes the same package at another path for the same, and would go on with
# what was built from the other sources. The dependencies come along, where they are built already.
mkdir "$copy/target" "$copy/tree"
built="${CARGO_TARGET_DIR:-target}/release"
[ -d "$built" ] && cp -a --reflink=auto "$built" "$copy/target/release"
export CARGO_TARGET_DIR="$copy/target"
# With new times, so that the packages of the workspace are built again.
git ls-files -z | tar --create --null --files-from=- | tar --extract --touch --directory="$copy/tree"
# So that git takes no repository above for its own.
export GIT_CEILING_DIRECTORIES="$copy"

without_times() { # the columns of seconds and of steps a second
    sed -E 's/ +seconds( +steps\/s)?$//; s/ +[0-9]+\.[0-9]{2}( +[0-9]+)?$//'
}

ran=0
is_console=false
while IFS= read -r line; do
    if ! $is_console; then
        printf '%s\n' "$line"
        [ "$line" = '```console' ] && is_console=true
    elif [ "$line" = '```' ]; then
        printf '%s\n' "$line"
        is_console=false
    elif [ "${line:0:2}" = '$ ' ]; then
        printf '%s\n' "$line"
        (cd "$copy/tree" && bash -c "${line:2}" </dev/null 2>>"$copy/stderr" | without_times)
        ran=$((ran + 1))
    fi
done <"$page" >"$copy/page"

if [ "$ran" -eq 0 ]; then
    echo "$page has no commands"
    exit 1
fi
# 101 is cargo's own: what the patches make does not build.
if grep -qx 101 "$copy/page"; then
    cat "$copy/stderr"
    echo "the sources with the patches of $page do not build; nothing was written"
    exit 1
fi
if [ "${1:-}" = --write ]; then
    cp "$copy/page" "$page"
elif ! diff -u "$page" "$copy/page"; then
    cat "$copy/stderr"
    echo "$page does not say what its commands print; after a look, tests/worked-example.sh --write mends it"
    exit 1
fi
echo "$ran commands print what $page says"
