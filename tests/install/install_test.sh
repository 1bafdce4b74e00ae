#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs a build into an empty prefix, then builds and runs a program that knows nothing but
# find_package(kvcal).   install_test.sh BUILD_DIR
set -euo pipefail
consumer=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/consumer
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cmake --install "$1" --prefix "$scratch/prefix" >/dev/null
cmake -G Ninja -S "$consumer" -B "$scratch/build" -DCMAKE_BUILD_TYPE=Debug \
  -DCMAKE_PREFIX_PATH="$scratch/prefix" >/dev/null
cmake --build "$scratch/build"

printed=$(KVCAL_HOME=$scratch/prefix/share/kvcal "$scratch/build/consumer")
if [[ $printed != "needles, sum 6" ]]; then
  echo "the consumer printed '$printed', expected 'needles, sum 6'"
  exit 1
fi

for program in "$scratch"/prefix/bin/*; do
  [[ -e $program ]] || continue
  # An installed program must find LibTorch by its own run path.
  env -u LD_LIBRARY_PATH "$program" --help >/dev/null || { echo "$program --help failed"; exit 1; }
done
echo "installed, found by find_package, run"
