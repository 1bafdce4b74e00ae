#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Compiles libcompress with kernels/cuda and links a program that calls every kernel. Needs no
# device.   compile_and_link.sh NVCC LIBTORCH_DIR
set -euo pipefail
source_dir=$(dirname "$(realpath "${BASH_SOURCE[0]}")")/../..
build=$source_dir/build/cuda-check

cmake -G Ninja -S "$source_dir" -B "$build" -DCMAKE_BUILD_TYPE=Release -DCMAKE_UNITY_BUILD=ON \
  -DKVCAL_CUDA=ON -DCMAKE_CUDA_COMPILER="$1" -DKVCAL_LIBTORCH_DIR="$(realpath "$2")" >/dev/null
cmake --build "$build" --target cuda_link_check
"$(find "$build" -name cuda_link_check -type f -perm -u+x)"
