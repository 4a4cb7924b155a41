# Names out of the store that the program would find, or that --bolt-path names on this line. What
# could be taken by the shell for more than a name is quoted.
_influx_recovery_names() {
  local kind=$1 typed=$2 name quoted at
  local -a store=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    if [[ ${COMP_WORDS[at]} == --bolt-path ]]; then
      [[ ${COMP_WORDS[at + 1]} == = ]] && ((at++))
      store=(--bolt-path "${COMP_WORDS[at + 1]}")
    fi
  done
  while IFS= read -r name; do
    printf -v quoted %q "$name"
    if [[ $quoted == "$typed"* || $name == "$typed"* ]]; then
      printf '%s\n' "$quoted"
    fi
  done < <("${COMP_WORDS[0]}" completion "$kind" "${store[@]}" 2>/dev/null </dev/null)
}
_influx_recovery_auth() { _influx_recovery_names auth "$1"; }
_influx_recovery_bucket() { _influx_recovery_names bucket "$1"; }
_influx_recovery_org() { _influx_recovery_names org "$1"; }
_influx_recovery_user() { _influx_recovery_names user "$1"; }
