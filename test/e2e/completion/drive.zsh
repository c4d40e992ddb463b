# usage: zsh -f drive.zsh WORDS...   prints the arguments that a command would get after each of WORDS is completed
zmodload zsh/zpty zsh/datetime
out=$(mktemp)
trap 'rm -f $out' EXIT
wait_lines() {
  local -F until=$((EPOCHREALTIME + 30))
  local said
  while (( $(wc -l < $out) < $1 )); do
    (( EPOCHREALTIME > until )) && { print -u2 "zsh does not answer $2"; exit 1 }
    while zpty -r -t z said; do print -rn -u2 -- "$said"; done
    sleep 0.05
  done
}
TERM=dumb zpty z zsh -f -i
zpty -w z "autoload -U compinit && compinit -u -D; source <(pachctl completion zsh); show() { print -r -- \"\${(j:|:)@}\" >> $out }; compdef _pachctl show"
zpty -w z "complete-and-run() { zle complete-word; zle accept-line }; zle -N complete-and-run; bindkey '^T' complete-and-run; echo >> $out"
wait_lines 1 start
n=1
for words in "$@"; do
  zpty -w -n z "show $words"$'\C-t'
  wait_lines $((++n)) $words
done
tail -n +2 $out
