# usage: bash drive.bash WORDS...   prints what bash would offer after each, one line for each
source <(pachctl completion bash)
compopt() { :; }
for words in "$@"; do
  eval "COMP_WORDS=(pachctl $words)"
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _pachctl
  IFS='|'
  echo "${COMPREPLY[*]}"
  unset IFS
done
