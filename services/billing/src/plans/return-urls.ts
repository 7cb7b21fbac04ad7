import { Problem } from "@remit/protocol";

export type ReturnUrls = { readonly successUrl: string | undefined; readonly cancelUrl: string | undefined };

/**
 * Where a visit to Checkout returns to: addresses of origins that were allowed, compared whole. Everything else would let
 * somebody send a payer from our name to theirs (open redirect).
 */
export function returnUrlsOf(
  allowed: readonly string[],
  { successUrl, cancelUrl }: ReturnUrls,
): { readonly successUrl: string; readonly cancelUrl: string } {
  const [home = ""] = allowed;
  return {
    successUrl: returnUrlOf(allowed, successUrl ?? `${home}/account?plan=upgraded`),
    cancelUrl: returnUrlOf(allowed, cancelUrl ?? `${home}/account?plan=unchanged`),
  };
}

export function returnUrlOf(allowed: readonly string[], text: string): string {
  const url = URL.parse(text);
  // As it was written: a parser drops tabs and turns backslashes, and the next one need not.
  const plain = /^https?:\/\/[\x21-\x5b\x5d-\x7e]+$/.test(text);
  if (url === null || !plain || url.username !== "" || url.password !== "" || !allowed.includes(url.origin))
    throw new Problem("return_url_refused", { private: { url: text.slice(0, 200) } });
  return url.href;
}
