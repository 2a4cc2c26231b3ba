/**
 * What the pages may do. No inline code anywhere, nothing from elsewhere, no HTML built from text (Trusted Types).
 * Images alone may come from other hosts: the page loads one only when its reader clicks it.
 */
export const pagePolicy = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self' data: blob: https: http:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "media-src 'self' data: blob:",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  // One name for one script: the service worker's, which is registered nowhere else.
  "trusted-types service-worker",
].join("; ");

/** What the service worker may do: ask for the page's own files. */
export const workerPolicy = "default-src 'none'; connect-src 'self'";
