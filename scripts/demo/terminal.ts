import { spawn } from "node:child_process";
import { once } from "node:events";

/** A person's terminal: shows each command as it would be typed, then what it really prints. */
export class Terminal {
  private readonly env: Readonly<Record<string, string | undefined>>;
  private readonly cwd: string;
  private readonly signal: AbortSignal;
  /** How many commands were typed. */
  commands = 0;

  constructor(options: {
    readonly env: Readonly<Record<string, string | undefined>>;
    readonly cwd: string;
    readonly signal: AbortSignal;
  }) {
    this.env = options.env;
    this.cwd = options.cwd;
    this.signal = options.signal;
  }

  /** A remark between commands. */
  say(text: string): void {
    console.log(`\n# ${text}`);
  }

  /** Types `pachctl …`; gives back what it printed on stdout. Fails when the command does. */
  async pachctl(...args: string[]): Promise<string> {
    this.signal.throwIfAborted();
    console.log(`$ pachctl ${args.map(quoted).join(" ")}`);
    const child = spawn("pachctl", args, {
      cwd: this.cwd,
      env: this.env,
      stdio: ["ignore", "pipe", "inherit"],
      signal: this.signal,
    });
    const pieces: Buffer[] = [];
    child.stdout.on("data", (piece: Buffer) => {
      pieces.push(piece);
      process.stdout.write(piece);
    });
    const [status] = (await once(child, "close")) as [number | null];
    if (status !== 0) throw new Error(`pachctl ${args[0] ?? ""} failed with exit code ${status}`);
    this.commands++;
    return Buffer.concat(pieces).toString("utf8");
  }
}

/** As a shell needs it written. */
function quoted(arg: string): string {
  return /^[\w./:=@-]+$/.test(arg) ? arg : `'${arg.replaceAll("'", `'\\''`)}'`;
}
