# Names out of the store that the program would find, or that --bolt-path names on this line.
_influx_recovery_names() {
  local kind=$argv[-1] at word
  local -a store found
  store=()
  for ((at = 2; at < CURRENT; at++)); do
    word=${(Q)words[at]}
    if [[ $word == --bolt-path ]]; then
      store=(--bolt-path "${(Q)words[at + 1]}")
    elif [[ $word == --bolt-path=* ]]; then
      store=($word)
    fi
  done
  found=(${(f)"$(influx-recovery completion $kind $store 2>/dev/null </dev/null)"})
  compadd -a found
}
