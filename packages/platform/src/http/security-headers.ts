const everywhere = {
  "X-Content-Type-Options": "nosniff",
  "X-Frame-Options": "DENY",
  "Referrer-Policy": "no-referrer",
  "Cache-Control": "no-store",
  "Cross-Origin-Opener-Policy": "same-origin",
};

const hsts = { "Strict-Transport-Security": "max-age=63072000; includeSubDomains" };

export type SecurityHeaders = {
  readonly api: Readonly<Record<string, string>>;
  readonly page: Readonly<Record<string, string>>;
};

/** Headers of JSON answers and of pages. Strict transport only where the origin is https. */
export function securityHeadersOf(origin: string): SecurityHeaders {
  const base = { ...everywhere, ...(origin.startsWith("https:") ? hsts : {}) };
  return {
    api: { ...base, "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'" },
    page: {
      ...base,
      "Content-Security-Policy":
        "default-src 'none'; style-src 'self'; img-src 'self' data:; script-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    },
  };
}
