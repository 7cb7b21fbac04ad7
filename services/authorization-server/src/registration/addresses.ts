import { refuse } from "./refuse.ts";

const lengthMax = 512;
const loopbackNames = ["127.0.0.1", "[::1]", "localhost"];

/** RFC 8252 §7.3: the names under which a program on the person's own machine is reached. */
export const isLoopback = (uri: string): boolean => loopbackNames.includes(URL.parse(uri)?.hostname ?? "");

/**
 * RFC 8252 §7.3 and §8.3: https to a host, or http to a loopback address (the port is then free at authorization).
 * Compared as text later, so only one spelling is taken: what a URL parser would write.
 */
export const redirectUriOf = (text: string): string =>
  addressOf(text, (because) => refuse(`redirect_uris: ${because}`, "invalid_redirect_uri"));

/** An address of the client's that is kept: shown, sent to, or fetched by us after another look (`outbound.check`). */
export const addressNamed = (name: string, text: string): string =>
  addressOf(text, (because) => refuse(`${name}: ${because}`));

function addressOf(text: string, wrong: (because: string) => never): string {
  const url = URL.parse(text);
  if (url === null || text.length > lengthMax)
    return wrong(`an absolute URL of at most ${lengthMax} characters is needed.`);
  const loopback = url.protocol === "http:" && isLoopback(text);
  if (url.protocol !== "https:" && !loopback)
    return wrong("https, or http on a loopback address, is needed.");
  if (url.username !== "" || url.password !== "") return wrong("a user name is not accepted.");
  if (text.includes("#")) return wrong("a fragment is not accepted.");
  if (text.includes("*") || text.includes("\\")) return wrong("wildcards and backslashes are not accepted.");
  if (url.href !== text && url.href !== `${text}/`) return wrong("write the URL as a browser would.");
  return text;
}
