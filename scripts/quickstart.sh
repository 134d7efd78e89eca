#!/bin/sh
# The main job on this machine, with the executables and a real container. --once: clean up and exit 0 at the end.
set -eu
cd -- "$(dirname -- "$0")/.."
deno=$(sh scripts/deno.sh)
exec "$deno" task --quiet quickstart "$@"
