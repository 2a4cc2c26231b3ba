import { spawn, type ChildProcess } from "node:child_process";

/** Sees to it that process groups do not outlive this process, however it ends. */
export interface OrphanWatch {
  add(group: number): void;
  remove(group: number): void;
}

/**
 * A shell that reads which groups there are and, when this process is gone and its end of the pipe with it, gives them a
 * moment to end by themselves and kills those that are left. `kill -9` cannot be noticed in any other way.
 */
const script = `
groups=" "
while read -r sign group; do
  case "$sign" in
    +) groups="$groups$group " ;;
    -) groups="\${groups%% $group *} \${groups#* $group }" ;;
  esac
done
[ "$groups" = " " ] && exit
sleep 2
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
`;

let watch: OrphanWatch | null = null;

/** The one of this process. Where there is no shell, programs see the end of their input and nothing more. */
export function orphanWatch(onFault: (error: Error) => void): OrphanWatch {
  watch ??= startWatch(onFault);
  return watch;
}

function startWatch(onFault: (error: Error) => void): OrphanWatch {
  const shell: ChildProcess = spawn("/bin/sh", ["-c", script], {
    // What ends this process's group must not end it.
    detached: true,
    stdio: ["pipe", "ignore", "ignore"],
  });
  shell.on("error", onFault);
  shell.stdin?.on("error", onFault);
  shell.unref();
  // It does not keep this process alive either.
  (shell.stdin as { unref?: () => void } | null)?.unref?.();
  const tell = (line: string) => {
    if (shell.stdin?.writable === true) shell.stdin.write(`${line}\n`);
  };
  return {
    add: (group) => tell(`+ ${group}`),
    remove: (group) => tell(`- ${group}`),
  };
}
