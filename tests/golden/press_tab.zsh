#!/usr/bin/zsh -f
# press_tab.zsh SHELL LINE...: types each LINE and the Tab key into an interactive SHELL (bash, zsh or
# fish) that has docker-machine's completion, and prints the command that is run when Enter follows.
# A "\t" in LINE is a Tab before its end.
zmodload zsh/zpty
shell=$1
shift
# Only what is typed goes to the function: the completion asks the program itself.
case $shell in
  bash)
    start=(bash --norc --noprofile -i)
    load='source <(docker-machine completion bash); docker-machine() { echo "ran: $*."; }'
    ;;
  zsh)
    start=(zsh -f -i)
    load='autoload -Uz compinit; compinit -D -u; source <(docker-machine completion zsh)
docker-machine() { echo "ran: $*."; }'
    ;;
  fish)
    start=(fish --no-config -i)
    load='docker-machine completion fish | source; function docker-machine; echo "ran: $argv."; end'
    ;;
esac
# No question to a terminal that nobody answers.
export TERM=dumb
zpty shell $start || exit 1
zpty -w shell "$load"
zpty -w shell 'echo LO""ADED'
zpty -r shell out '*LOADED*'
for line in "$@"; do
  zpty -w -n shell "$(print -n -- "$line")"$'\t\n'
  # The line as it is typed has a quote behind "ran".
  zpty -r shell out $'*ran: *.*\n'
  print -r -- ${${(M)${(f)${out//$'\r'/}}:#*ran: *.*}##*ran: }
done
zpty -d shell
