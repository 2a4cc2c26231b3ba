/** Keeps the page's own files in the browser, so that it opens without the network too. Browsers do so over HTTPS and on the same machine only. */
export function keepPage(): void {
  if (!("serviceWorker" in navigator) || import.meta.env.DEV) return;
  const address = new URL("./assets/service-worker.js", document.baseURI).href;
  const register = () => {
    navigator.serviceWorker
      .register(trusted(address) as string, { scope: new URL("./", document.baseURI).pathname })
      // Private windows refuse; the page works without.
      .catch(() => undefined);
  };
  // After everything that somebody waits for.
  if (document.readyState === "complete") register();
  else window.addEventListener("load", register, { once: true });
}

interface TrustedTypes {
  createPolicy(
    name: string,
    rules: { readonly createScriptURL: (url: string) => string },
  ): { createScriptURL(url: string): unknown };
}

/** The page's policy knows this one name, which stands for this one script. */
function trusted(address: string): unknown {
  const { trustedTypes } = window as { readonly trustedTypes?: TrustedTypes };
  return (
    trustedTypes
      ?.createPolicy("service-worker", { createScriptURL: () => address })
      .createScriptURL(address) ?? address
  );
}
