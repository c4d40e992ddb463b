import { Argument, type Command } from "commander";
import type { Context } from "../context.ts";

const bash = `# bash completion for pachctl
_pachctl() {
  local word typed=$'[\\\\\\\\\\'"]'
  local -a words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  # As they will be, not as they are typed.
  words=("\${words[@]//$typed/}")
  COMPREPLY=()
  while IFS= read -r word; do
    [[ $word == */ ]] && compopt -o nospace
    [[ \${COMP_WORDS[COMP_CWORD]} == [\\'\\"]* ]] || printf -v word '%q' "$word"
    COMPREPLY+=("$word")
  done < <(pachctl complete -- "\${words[@]}" 2>/dev/null)
}
complete -o default -F _pachctl pachctl
`;

const zsh = `#compdef pachctl
# zsh completion for pachctl
_pachctl() {
  local -a found
  found=("\${(@f)$(pachctl complete -- "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  found=(\${found:#})
  if (( \${#found} == 0 )); then
    _files
    return
  fi
  compadd -S '' -- \${(M)found:#*/}
  compadd -- \${found:#*/}
}
compdef _pachctl pachctl
`;

const fish = `# fish completion for pachctl
complete -c pachctl -a '(pachctl complete -- (commandline -opc)[2..-1] (string unescape -- (commandline -ct)) 2>/dev/null)'
`;

const scripts = { bash, zsh, fish };

const after = `
Commands, options, repos, branches, commits, paths, pipelines and jobs are completed.
To have it in every shell from now on:
  bash   echo 'source <(pachctl completion bash)' >> ~/.bashrc
  zsh    echo 'source <(pachctl completion zsh)' >> ~/.zshrc     (after compinit)
  fish   pachctl completion fish > ~/.config/fish/completions/pachctl.fish`;

export function completion(command: Command, context: Context): void {
  command
    .addArgument(new Argument("<shell>", "the shell").choices(Object.keys(scripts)))
    .addHelpText("after", after)
    .action((shell: keyof typeof scripts) => {
      context.print(scripts[shell]);
    });
}
