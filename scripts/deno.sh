#!/bin/sh
# Prints the path of Deno 2.9.5, getting it into .cache/deno of this checkout when it is not there: nothing global is changed.
set -eu
version=2.9.5
root=$(CDPATH='' cd -- "$(dirname -- "$0")/.." && pwd)
right() { [ -x "$1" ] && [ "$("$1" --version 2>/dev/null | head -n 1 | cut -d ' ' -f 2)" = "$version" ]; }
own=$root/.cache/deno/bin/deno
if right "$own"; then echo "$own"; exit 0; fi
if found=$(command -v deno) && right "$found"; then echo "$found"; exit 0; fi
case $(uname -m) in
  x86_64) package=linux-x64-glibc ;;
  aarch64) package=linux-arm64-glibc ;;
  *) echo "Deno $version is not published for $(uname -m): use an amd64 or arm64 machine" >&2; exit 1 ;;
esac
mkdir -p "$root/.cache/deno/bin"
if command -v npm >/dev/null; then
  echo "Getting Deno $version from its npm package into .cache/deno" >&2
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && npm pack --silent "@deno/$package@$version" >/dev/null && tar -xzf ./*.tgz) >&2
  mv "$work/package/deno" "$own"
  chmod 755 "$own"
elif command -v curl >/dev/null && command -v unzip >/dev/null; then
  echo "Getting Deno $version with its official installer into .cache/deno" >&2
  curl -fsSL https://deno.land/install.sh | DENO_INSTALL="$root/.cache/deno" sh -s -- --no-modify-path "v$version" >&2
else
  echo "Deno $version is needed: install npm, or curl and unzip, and run this again" >&2
  exit 1
fi
right "$own" || { echo "Deno $version did not arrive in $own" >&2; exit 1; }
echo "$own"
