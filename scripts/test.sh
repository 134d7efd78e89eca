#!/bin/sh
# All tests, with what they need set up first as far as this machine allows.
set -eu
cd -- "$(dirname -- "$0")/.."
deno=$(sh scripts/deno.sh)
exec "$deno" run --allow-all scripts/test.ts
