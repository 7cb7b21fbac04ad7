import type { Outbound } from "@remit/platform/outbound";
import { readJson } from "@remit/protocol";
import type { ApplicationRegistration } from "../clients/index.ts";
import { refuse } from "./refuse.ts";

const bytesMax = 65_536;
const timeoutMs = 5_000;

type Asked = Pick<ApplicationRegistration, "metadata" | "redirectUris">;

/**
 * What the addresses in a client's metadata must be before they are kept: reachable by our rules (W01: no address
 * of our own network, also by name), and a sector identifier that lists every redirect (OpenID Core §8.1, registration §5).
 */
export async function checkAddresses(outbound: Outbound, wanted: Asked): Promise<void> {
  const { metadata, redirectUris } = wanted;
  const called = ["jwks_uri", "backchannel_logout_uri", "backchannel_client_notification_endpoint"] as const;
  for (const name of called) {
    const url = metadata[name];
    if (url !== undefined)
      await outbound.check(url).catch(() => refuse(`${name}: this address is not one that we call.`));
  }
  const sector = metadata.sector_identifier_uri;
  if (sector === undefined) return;
  const listed = await listAt(outbound, sector);
  if (!redirectUris.every((uri) => listed.includes(uri)))
    refuse("sector_identifier_uri: its document does not list every one of the redirect_uris.");
}

async function listAt(outbound: Outbound, url: string): Promise<readonly unknown[]> {
  const headers = { accept: "application/json" };
  const answer = await outbound
    .request({ url, headers, timeoutMs, bodyBytesMax: bytesMax })
    .catch(() => refuse("sector_identifier_uri: the document cannot be fetched."));
  const read = readJson(answer.body, bytesMax);
  if (answer.status !== 200 || !("value" in read) || !Array.isArray(read.value))
    return refuse("sector_identifier_uri: there is no list of addresses.");
  return read.value;
}
