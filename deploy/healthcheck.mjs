// For containers: ends with 0 when the service in this container may be sent requests.
const port = process.env.PORT || process.env.SERVICE_PORT || "8001";
try {
  const response = await fetch(`http://127.0.0.1:${port}/health/readiness`, {
    signal: AbortSignal.timeout(5_000),
  });
  const { checks } = await response.json();
  process.stdout.write(`${response.status} ${JSON.stringify(checks)}\n`);
  process.exitCode = response.ok ? 0 : 1;
} catch (error) {
  process.stdout.write(`no answer: ${error.cause?.code ?? error.name}\n`);
  process.exitCode = 1;
}
