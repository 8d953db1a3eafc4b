#include "cli/output/shell_scripts.h"

#include "absl/strings/str_cat.h"

namespace machine::cli {
namespace {

// The words are split at blanks alone: COMP_WORDS is split at '=' and ':', too, and what is
// completed is then only the part behind the last of these.
constexpr char kBashCompletion[] = R"(# bash completion for docker-machine
_docker_machine() {
  local line=${COMP_LINE:0:COMP_POINT} last candidate prefix
  local -a words
  read -ra words <<<"$line"
  case $line in *[[:space:]]) words+=("") ;; esac
  last=${words[${#words[@]} - 1]}
  prefix=${last%"${last##*[=:]}"}
  COMPREPLY=()
  while IFS= read -r candidate; do
    if [ "$candidate" = :files ]; then
      compopt -o default
      continue
    fi
    candidate=${candidate%%$'\t'*}
    case $candidate in *[=:]) compopt -o nospace ;; esac
    COMPREPLY+=("${candidate#"$prefix"}")
  done < <(command docker-machine complete -- "${words[@]:1}" 2>/dev/null)
}
complete -F _docker_machine docker-machine
)";

constexpr char kZshCompletion[] = R"(#compdef docker-machine
# zsh completion for docker-machine
_docker_machine() {
  local -a lines spaced unspaced
  local line value files
  lines=("${(@f)$(command docker-machine complete -- "${(@)words[2,CURRENT]}" 2>/dev/null)}")
  for line in $lines; do
    [[ -z $line ]] && continue
    if [[ $line == :files ]]; then
      files=1
      continue
    fi
    value=${line%%$'\t'*}
    if [[ $value == *[=:] ]]; then
      unspaced+=("${value//:/\\:}:${line#*$'\t'}")
    else
      spaced+=("${value//:/\\:}:${line#*$'\t'}")
    fi
  done
  (( $#spaced )) && _describe -V docker-machine spaced
  (( $#unspaced )) && _describe -V docker-machine unspaced -S ''
  [[ -n $files ]] && _files
  return 0
}
if [[ $funcstack[1] == _docker_machine ]]; then
  _docker_machine "$@"
else
  compdef _docker_machine docker-machine
fi
)";

constexpr char kFishCompletion[] = R"(# fish completion for docker-machine
function __docker_machine_complete
    set -l words (commandline -opc) (commandline -ct)
    for candidate in (command docker-machine complete -- $words[2..-1] 2>/dev/null)
        if test "$candidate" = :files
            __fish_complete_path (commandline -ct)
        else
            echo $candidate
        end
    end
end
complete -c docker-machine -f -a '(__docker_machine_complete)'
)";

constexpr char kPowershellCompletion[] = R"(# PowerShell completion for docker-machine
Register-ArgumentCompleter -Native -CommandName docker-machine -ScriptBlock {
    param($wordToComplete, $commandAst, $cursorPosition)
    $words = @($commandAst.CommandElements |
        Where-Object { $_.Extent.EndOffset -lt $cursorPosition } |
        ForEach-Object { $_.ToString() } | Select-Object -Skip 1)
    # Before PowerShell 7.3 an empty argument is lost on its way to a program.
    $empty = if ($PSNativeCommandArgumentPassing -in 'Standard', 'Windows') { '' } else { '""' }
    $words += if ($wordToComplete -eq '') { $empty } else { $wordToComplete }
    $program = Get-Command -CommandType Application docker-machine | Select-Object -First 1
    & $program complete -- @words 2>$null | Where-Object { $_ -ne ':files' } | ForEach-Object {
        $value, $text = $_ -split "`t", 2
        if (-not $text) { $text = $value }
        [System.Management.Automation.CompletionResult]::new($value, $value, 'ParameterValue', $text)
    }
}
)";

// For bash and zsh alike, both of which read what `env --shell bash` prints.
constexpr char kPosixFunctions[] =
    R"(# docker-machine use NAME: docker talks to NAME in this shell; use -u: as before.
docker-machine() {
  if [ "${1-}" != use ] || [ "${2-}" = -h ] || [ "${2-}" = --help ]; then
    command docker-machine "$@"
    return
  fi
  shift
  local output
  output=$(command docker-machine env --shell bash "$@") || return
  eval "$output"
}
# The machine in use, for a prompt: PS1='\u@\h$(__docker_machine_ps1 " [%s]")\$ '
__docker_machine_ps1() {
  [ -z "${DOCKER_MACHINE_NAME-}" ] || printf -- "${1- [%s]}" "$DOCKER_MACHINE_NAME"
}
)";

constexpr char kFishFunctions[] =
    R"(# docker-machine use NAME: docker talks to NAME in this shell; use -u: as before.
function docker-machine --wraps docker-machine
    if test "$argv[1]" != use; or contains -- "$argv[2]" -h --help
        command docker-machine $argv
        return
    end
    set -l output (command docker-machine env --shell fish $argv[2..-1])
    or return
    string join \n -- $output | source
end
# The machine in use, for a prompt: (__docker_machine_ps1 ' [%s]')
function __docker_machine_ps1
    set -l format ' [%s]'
    set -q argv[1]; and set format $argv[1]
    if set -q DOCKER_MACHINE_NAME
        printf $format $DOCKER_MACHINE_NAME
    end
    return 0
end
)";

absl::Status UnknownShell(absl::string_view shell, absl::string_view known) {
  return absl::InvalidArgumentError(absl::StrCat("Error: Unknown shell \"", shell, "\": ", known));
}

}  // namespace

absl::StatusOr<std::string> CompletionScript(absl::string_view shell) {
  if (shell == "bash") return kBashCompletion;
  if (shell == "zsh") return kZshCompletion;
  if (shell == "fish") return kFishCompletion;
  if (shell == "powershell" || shell == "pwsh") return kPowershellCompletion;
  return UnknownShell(shell, "bash, zsh, fish or powershell");
}

absl::StatusOr<std::string> ShellFunctions(absl::string_view shell) {
  if (shell == "bash" || shell == "zsh") return kPosixFunctions;
  if (shell == "fish") return kFishFunctions;
  return UnknownShell(shell, "bash, zsh or fish");
}

}  // namespace machine::cli
