#!/bin/bash
# Runs kv-eval on two "machines" of one: network namespaces joined by a veth pair, each with its own
# address and nothing else in common but the file system. Needs root and iproute2; cleans up.
#
#   tests/cluster/namespaces.sh [FOLDER OF PROGRAMS]
#
# Checks  the numbers are those of one process; a machine that is cut off the network loses nothing.
set -euo pipefail
source_dir=$(cd "$(dirname "$0")/../.." && pwd)
export BIN=${1:-$source_dir/build/release/bin}
work=$(mktemp -d)
names=(kvcal-a-$$ kvcal-b-$$)

clean_up() {
  local name
  for name in "${names[@]}"; do
    ip netns pids "$name" 2>/dev/null | xargs -r kill -9 2>/dev/null || true
    ip netns delete "$name" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap clean_up EXIT

make_machines() {
  local i
  for i in 0 1; do
    ip netns add "${names[i]}"
    ip -n "${names[i]}" link set lo up
  done
  ip link add eth0 netns "${names[0]}" type veth peer name eth0 netns "${names[1]}"
  for i in 0 1; do
    ip -n "${names[i]}" address add "10.77.0.$((i + 1))/24" dev eth0
    ip -n "${names[i]}" link set eth0 up
  done
}

flags=(--model "$source_dir/tests/parity/model/tiny_llama" --tasks niah --task-param lengths=300,400
  --task-param needles_per_cell=4 --task-param max_new_tokens=8 --methods full,random,snapkv
  --budgets 16 --no-provenance --threads 1 -v --lease-seconds 2)

# on RANK OUTPUT: one process on the machine of that number
on() {
  RANK=$1 WORLD_SIZE=2 LOCAL_RANK=0 LOCAL_WORLD_SIZE=1 ip netns exec "${names[$1]}" \
    "$BIN/kv-eval" "${flags[@]}" --rendezvous 10.77.0.1:29400 --output "$2.h5" --json "$2.json" \
    >"$2.rank$1.log" 2>&1
}

same_as_one() {
  local f
  for f in one "$1"; do grep -vE 'prefill_s|decode_tokens_per_s' "$f.json" >"$f.txt"; done
  cmp one.txt "$1.txt"
  echo "$1: $(grep -o 'prompts by rank: .*' "$1.rank0.log"), same numbers as one process"
}

cd "$work"
"$BIN/kv-eval" "${flags[@]}" --output one.h5 --json one.json >one.log 2>&1
make_machines

on 1 both & other=$!
on 0 both
wait $other
same_as_one both

on 1 cut & other=$!
(
  until grep -qs 'debug: prompt' cut.rank1.log; do sleep 0.01; done
  ip -n "${names[1]}" link set eth0 down
) &
on 0 cut
same_as_one cut
kill -9 $other 2>/dev/null || true
wait $other 2>/dev/null || true
