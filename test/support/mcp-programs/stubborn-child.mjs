// What a shell or npx starts: it knows nothing of the end of anybody's input.
import { connect } from "node:net";

connect(Number(process.env.REPORT_PORT), "127.0.0.1").write(
  `${JSON.stringify({ child: process.pid })}\n`,
);
process.on("SIGTERM", () => undefined);
