import { lookup as lookUp } from "node:dns/promises";
import { isIP, type LookupFunction } from "node:net";
import { Problem } from "@remit/protocol";
import { buildConnector } from "undici";
import { isAcceptablePort, isPublicAddress } from "./addresses.ts";

/** Addresses of a name. Tests give one that lies. */
export type Resolve = (
  hostname: string,
) => Promise<readonly { readonly address: string; readonly family: number }[]>;

export type Guard = {
  /** Refuses a URL that connecting would refuse: scheme, user info, port, each resolved address. */
  check(url: string): Promise<void>;
  /** Connects where the guard allows, to an address that it has just checked. */
  readonly connect: buildConnector.connector;
};

export const systemResolve: Resolve = (hostname) => lookUp(hostname, { all: true, verbatim: true });

const connectTimeoutMs = 5_000;

const refused = (host: string, because: string): Problem =>
  new Problem("outbound_refused", { detail: `${host}: ${because}`, private: { host } });

/**
 * The guard against calls into our own network (SSRF). `allow` lists exact `host:port` pairs to which http and private
 * addresses are open; `*.localhost:port` is every name below localhost, which is this machine whatever a resolver says
 * (RFC 6761 §6.3). Checking happens on what was resolved for this very connection, so a name that changes its mind
 * between check and connect (DNS rebinding, W02) gains nothing.
 */
export function createGuard(allow: readonly string[], resolve: Resolve): Guard {
  const allowed = new Set(allow.map((pair) => pair.toLowerCase()));
  const open = buildConnector({ timeout: connectTimeoutMs });
  const loopback = buildConnector({ timeout: connectTimeoutMs, lookup: toLoopback });
  const isOurs = ({ host, port }: Target): boolean =>
    host.endsWith(".localhost") && allowed.has(`*.localhost:${port}`);
  const pinned = buildConnector({ timeout: connectTimeoutMs, lookup: checkedLookup(resolve) });
  return {
    async check(text) {
      const target = targetOf(text);
      if (allowed.has(target.pair) || isOurs(target)) return;
      refuseTarget(target);
      if (isIP(target.host) === 0) await resolvePublic(target.host, resolve).catch(asRefusal(target.host));
    },
    connect(options, callback) {
      const target = targetOf(`${options.protocol}//${hostPart(options.hostname)}:${options.port}`);
      if (allowed.has(target.pair)) return open(options, callback);
      if (isOurs(target)) return loopback(options, callback);
      try {
        refuseTarget(target);
      } catch (error) {
        return callback(asError(error), null);
      }
      return pinned(options, (...[error, socket]) => {
        if (error !== null) return callback(error, null);
        if (socket === null) return callback(refused(target.host, "no connection"), null);
        // Once more, on the socket: whatever the system did with the address, this is where it led.
        if (isPublicAddress(socket.remoteAddress ?? "")) return callback(null, socket);
        socket.destroy();
        return callback(refused(target.host, "leads into a private network"), null);
      });
    },
  };
}

type Target = {
  readonly protocol: string;
  readonly host: string;
  readonly port: number;
  readonly pair: string;
};

// The URL parser is the browsers': octal, hexadecimal and decimal addresses, full-width digits and dots come out plain.
function targetOf(text: string): Target {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol)) throw refused("the address", "is no https URL");
  if (url.username !== "" || url.password !== "") throw refused(url.hostname, "carries user information");
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const port = Number(url.port || (url.protocol === "https:" ? 443 : 80));
  return { protocol: url.protocol, host, port, pair: `${url.hostname}:${port}`.toLowerCase() };
}

function refuseTarget({ protocol, host, port }: Target): void {
  if (protocol !== "https:") throw refused(host, "only https is called");
  if (!isAcceptablePort(port)) throw refused(host, `port ${port} is not called`);
  if (isIP(host) !== 0 && !isPublicAddress(host)) throw refused(host, "is not a public address");
}

async function resolvePublic(
  host: string,
  resolve: Resolve,
): Promise<readonly { address: string; family: number }[]> {
  const found = await resolve(host);
  if (found.length === 0) throw refused(host, "has no address");
  // One private address among public ones is already an attempt.
  if (!found.every(({ address }) => isPublicAddress(address)))
    throw refused(host, "has an address that is not public");
  return found;
}

/** The lookup of one connection: what it returns is what the socket connects to. */
function checkedLookup(resolve: Resolve): LookupFunction {
  const answer: (...args: Parameters<LookupFunction>) => Promise<void> = async (
    hostname,
    options,
    callback,
  ) => {
    const found = await resolvePublic(hostname, resolve).catch(asError);
    if (found instanceof Error) return callback(found, "");
    const [first] = found;
    if (options.all === true) return callback(null, [...found]);
    callback(null, first?.address ?? "", first?.family);
  };
  return (...args) => void answer(...args);
}

const toLoopback: LookupFunction = (_hostname, options, callback) => {
  if (options.all === true) return callback(null, [{ address: "127.0.0.1", family: 4 }]);
  callback(null, "127.0.0.1", 4);
};

/** Of a URL given to be stored: a name that cannot be looked up now is none to call later. */
const asRefusal =
  (host: string) =>
  (error: unknown): never => {
    throw error instanceof Problem ? error : refused(host, "cannot be looked up");
  };

const hostPart = (hostname: string): string => (isIP(hostname) === 6 ? `[${hostname}]` : hostname);

const asError = (error: unknown): Error =>
  error instanceof Error ? error : refused("the address", String(error));
