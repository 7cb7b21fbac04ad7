/** The portal's cookies. Over https their names bind them to this host (RFC 6265bis §4.1.3). */
export type Cookies = {
  readonly session: CookieJar;
  readonly signIn: CookieJar;
  /** Whether a page asked by itself, since something happened elsewhere (app/src/lib/refresh.ts). */
  isStill(header: string | undefined): boolean;
};

export type CookieJar = {
  read(header: string | undefined): string | undefined;
  set(value: string, maxAgeS?: number): string;
  clear(): string;
};

export function createCookies(origin: string): Cookies {
  const secure = origin.startsWith("https:");
  const jar = (name: string): CookieJar => {
    const full = secure ? `__Host-${name}` : name;
    // Lax: the issuer's answer comes from elsewhere, by a link; no form of elsewhere brings the cookie along.
    const flags = `Path=/; HttpOnly; SameSite=Lax${secure ? "; Secure" : ""}`;
    return {
      read: (header) => valueOf(header, full),
      set: (value, maxAgeS) =>
        `${full}=${value}; ${flags}${maxAgeS === undefined ? "" : `; Max-Age=${maxAgeS}`}`,
      clear: () => `${full}=; ${flags}; Max-Age=0`,
    };
  };
  return {
    session: jar("remit-portal"),
    signIn: jar("remit-portal-sign-in"),
    isStill: (header) => valueOf(header, "still") === "1",
  };
}

function valueOf(header: string | undefined, name: string): string | undefined {
  for (const pair of (header ?? "").split(";")) {
    const at = pair.indexOf("=");
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
