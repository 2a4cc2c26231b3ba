import { SignJWT } from "jose";
import type { Config } from "../config/settings.ts";
import { userIdOf } from "../identity/claims.ts";
import { secondsOf } from "./duration.ts";
import { runCommand } from "./run-command.ts";
import type { Terminal } from "./terminal.ts";
import { UsageFault } from "./usage.ts";

const help = `chat-service token USER [--role ROLE]… [--expires 12h] [--config FILE]

Prints an access token for USER, signed with security.secret_key: for trying auth.mode jwt, and for commands that want a
token. Whoever has it is USER until it expires; it cannot be called back.

  --role ROLE       such as admin, which may manage everybody's sessions; may be given several times
  --expires 12h     so many s, m, h or d; at most 365d`;

/** `chat-service token`. The token alone goes to standard output. Returns the exit code. */
export async function runToken(
  { auth, security }: Config,
  args: readonly string[],
  terminal: Terminal,
): Promise<number> {
  const options = {
    role: { type: "string", multiple: true, default: [] as string[] },
    expires: { type: "string", default: "12h" },
  } as const;
  return runCommand({ args, options, help }, terminal, async ({ values, positionals }) => {
    const [name] = positionals;
    if (name === undefined || positionals.length > 1) throw new UsageFault(help);
    const userId = userIdOf(name);
    if (userId === null) {
      throw new UsageFault("A user is text of 1 to 128 characters without spaces at its ends");
    }
    const seconds = secondsOf(values.expires, "--expires", 365);
    if (auth.mode === "open") {
      throw new UsageFault(
        "auth.mode is open: everybody may act as any user, without a token. Set AUTH_MODE=jwt and SECURITY_SECRET_KEY, here as for the service",
      );
    }
    if (security.secret_key === null || security.secret_key === "") {
      throw new UsageFault(
        "There is no security.secret_key: tokens that are checked with public keys come from their issuer",
      );
    }
    const now = Math.floor(Date.now() / 1000);
    const token = new SignJWT({ type: "access", roles: values.role })
      .setProtectedHeader({ alg: "HS256", typ: "JWT" })
      .setSubject(userId)
      .setIssuedAt(now)
      .setExpirationTime(now + seconds);
    if (security.issuer !== null) token.setIssuer(security.issuer);
    if (security.audience !== null) token.setAudience(security.audience);
    terminal.output.write(`${await token.sign(Buffer.from(security.secret_key, "utf8"))}\n`);
    return 0;
  });
}
