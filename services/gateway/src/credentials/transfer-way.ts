import { challengeRequest, isJsonObject, type JsonObject } from "@remit/protocol";
import type { PaidRoute, X402Way } from "../offers/index.ts";
import type { TransferCredential } from "./credentials.ts";

/** The way of the route by which a transfer pays: chain, token where the protocol says it, and payee. */
export function wayOfTransfer(route: PaidRoute, credential: TransferCredential): X402Way | undefined {
  const said = saidBy(credential);
  const { authorization, permit } = credential.transfer;
  const scheme = permit === undefined ? "exact" : "upto";
  const { to } = authorization;
  return route.ways.find(
    (way): way is X402Way =>
      way.rail === "x402" &&
      way.scheme === scheme &&
      way.network === said.network &&
      (said.asset === undefined || way.asset.address.toLowerCase() === said.asset.toLowerCase()) &&
      way.payTo.toLowerCase() === to,
  );
}

function saidBy({ network, accepted, challenge }: TransferCredential): { network?: string; asset?: string } {
  if (accepted !== undefined) return { network: accepted.network, asset: accepted.asset };
  if (challenge === undefined) return network === undefined ? {} : { network };
  const request: JsonObject = challengeRequest(challenge) ?? {};
  const details = request["methodDetails"];
  const chain = isJsonObject(details) ? details["chainId"] : undefined;
  const { currency } = request;
  return {
    network: `eip155:${typeof chain === "number" ? chain : ""}`,
    asset: typeof currency === "string" ? currency : "",
  };
}
