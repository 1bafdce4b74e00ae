# For cli tests, to be sourced: a program in several processes on this machine, with the environment
# that torchrun would give them.
#
#   start_many 3 kv-eval --model ...   # `world=4 start_many 3`: a fourth one is still to come
#                                      # pids[rank]; what they print is in rank<rank>.out and .err
#   wait_many                          # prints "exit codes 0 0 0"

start_many() {
  local size=$1 rank
  shift
  # Below the ports that the system hands out.
  local port=$((10000 + $$ % 20000))
  pids=()
  for ((rank = 0; rank < size; rank++)); do
    RANK=$rank WORLD_SIZE=${world:-$size} LOCAL_RANK=$rank LOCAL_WORLD_SIZE=$size MASTER_ADDR=127.0.0.1 \
      MASTER_PORT=$port "$BIN/$@" >rank$rank.out 2>rank$rank.err &
    pids[rank]=$!
  done
}

wait_many() {
  local codes="" rank code
  for rank in "${!pids[@]}"; do
    code=0
    wait "${pids[rank]}" || code=$?
    codes+=" $code"
  done
  echo "exit codes$codes"
}
