import type { IncomingMessage } from "node:http";
import { BlockList, isIP } from "node:net";
import { StartRefused } from "../host/index.ts";

/** Where a request comes from: the socket's address, or what a proxy of ours says of it. */
export type CallerAddress = (req: Pick<IncomingMessage, "socket" | "headersDistinct">) => string;

/**
 * The nearest address in `X-Forwarded-For`, read from the right, that is no trusted proxy's. Whoever stands before the
 * first trusted proxy can write anything to the left of it, and is not believed.
 */
export function callerAddress(trustedProxies: readonly string[]): CallerAddress {
  const trusted = blockListOf(trustedProxies);
  const isTrusted = (address: string): boolean => trusted.check(address, familyOf(address));
  return (req) => {
    const socket = plain(req.socket.remoteAddress ?? "");
    if (trustedProxies.length === 0 || isIP(socket) === 0 || !isTrusted(socket)) return socket;
    const hops = (req.headersDistinct["x-forwarded-for"] ?? []).join(",").split(",");
    let nearest = socket;
    for (const hop of hops.map((text) => plain(text.trim())).reverse()) {
      if (isIP(hop) === 0) return nearest;
      nearest = hop;
      if (!isTrusted(hop)) return nearest;
    }
    return nearest;
  };
}

/** As whom an address counts: of IPv6 one subscriber has a /64, whose addresses it may change at will. */
export function countedAddress(address: string): string {
  if (isIP(address) !== 6) return address;
  const [head = "", tail] = address.split("::");
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const zeros =
    tail === undefined ? [] : Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0");
  return `${[...left, ...zeros, ...right]
    .slice(0, 4)
    .map((group) => group.replace(/^0+(?=.)/, ""))
    .join(":")}::/64`;
}

// A dual-stack socket writes IPv4 as ::ffff:a.b.c.d; a zone (%eth0) says nothing about who it is.
const plain = (address: string): string =>
  address
    .replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, "")
    .replace(/%.*$/, "")
    .toLowerCase();

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

function blockListOf(ranges: readonly string[]): BlockList {
  const list = new BlockList();
  for (const range of ranges) {
    const [address = "", bits] = range.split("/");
    const most = isIP(address) === 6 ? 128 : 32;
    const prefix = bits === undefined ? most : Number(bits);
    if (isIP(address) === 0 || !Number.isInteger(prefix) || prefix < 0 || prefix > most)
      throw new StartRefused(
        `${JSON.stringify(range)} is no address and no range of addresses`,
        "Write REMIT_TRUSTED_PROXIES as 10.0.0.0/8,192.0.2.7,2001:db8::/32.",
      );
    list.addSubnet(address, prefix, familyOf(address));
  }
  return list;
}
