/**
 * What threads and processes that run our own TypeScript need of this process's arguments: the loader of
 * `bin/strip-types.mjs`, where the service is installed as a package. Everything else (inspector, limits) stays here.
 */
export function loaderArguments(execArgv: readonly string[] = process.execArgv): string[] {
  const index = execArgv.findIndex(
    (argument, at) => argument === "--import" && execArgv[at + 1]?.endsWith("/strip-types.mjs"),
  );
  return index < 0
    ? []
    : ["--disable-warning=ExperimentalWarning", ...execArgv.slice(index, index + 2)];
}
