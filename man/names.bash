# Names out of the store that the program would find, or that --bolt-path names on this line. What
# could be taken by the shell for more than a name is quoted.
_influx_recovery_names() {
  local kind=$1 typed=$2 name quoted at
  local -a store=()
  for ((at = 1; at < COMP_CWORD; at++)); do
    if [[ ${COMP_WORDS[at]} == --bolt-path ]]; then
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
_influx_recovery_bucket_id() { _influx_recovery_names bucket-id "$1"; }
_influx_recovery_org() { _influx_recovery_names org "$1"; }
_influx_recovery_org_id() { _influx_recovery_names org-id "$1"; }
_influx_recovery_user() { _influx_recovery_names user "$1"; }
_influx_recovery_user_id() { _influx_recovery_names user-id "$1"; }
_influx_recovery_v1_auth() { _influx_recovery_names v1-auth "$1"; }
_influx_recovery_v1_auth_id() { _influx_recovery_names v1-auth-id "$1"; }
# Without the = that bash takes for a word of its own, as in --org=NAME.
_influx_recovery() {
  local at count=0
  local -a typed=()
  for ((at = 0; at < ${#COMP_WORDS[@]}; at++)); do
    if [[ ${COMP_WORDS[at]} == = && at -ne COMP_CWORD ]]; then
      ((at < COMP_CWORD)) && ((count++))
    else
      typed+=("${COMP_WORDS[at]#=}")
    fi
  done
  local COMP_CWORD=$((COMP_CWORD - count))
  local -a COMP_WORDS=("${typed[@]}")
  _shtab_influx_recovery
}
