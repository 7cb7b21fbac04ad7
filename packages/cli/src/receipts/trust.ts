import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import {
  type EvidenceKeySet,
  evidenceKeysPath,
  type Json,
  parseEvidenceKeys,
  parseJson,
} from "@remit/protocol";

/** Whose keys were used, and why they were believed. */
export type Trusted = EvidenceKeySet & {
  /** `given` on the command line, `kept` here by an earlier command, of the `instance` here, or a `loopback` issuer. */
  readonly trust: "given" | "kept" | "instance" | "loopback";
  /** The same issuer's keys as it publishes them now. */
  readonly fresh: () => Promise<EvidenceKeySet | undefined>;
};

export type TrustOptions = { readonly dataDir: string; readonly keys?: string; readonly issuer?: string };

const fetchTimeoutMs = 10_000;

/**
 * The keys by which a receipt of this issuer may be judged. The receipt's own word for its issuer is not enough: else
 * whoever forges one names himself. Believed are keys given by file, an issuer named with --issuer, the instance whose
 * data this is, and what was kept of these; an issuer on this machine is asked, but not remembered.
 */
export async function trustedKeys(claimed: string, options: TrustOptions): Promise<Trusted> {
  if (options.keys !== undefined) {
    const given = parseEvidenceKeys(parseJson(await readFile(options.keys)));
    return { ...given, trust: "given", fresh: async () => undefined };
  }
  const fetched = (): Promise<EvidenceKeySet> => fetchKeys(claimed);
  const kept = async (): Promise<EvidenceKeySet> => keepKeys(options.dataDir, claimed);
  // What knows every service is loaded only where an instance may be here.
  const { readDevFile } = await import("@remit/embedded");
  const own = options.issuer === claimed || (await readDevFile(options.dataDir))?.issuer === claimed;
  const known = await readKept(options.dataDir, claimed);
  if (known !== undefined) return { ...known, trust: "kept", fresh: () => kept().catch(() => undefined) };
  if (own) return { ...(await kept()), trust: "instance", fresh: async () => undefined };
  if (!isLoopback(claimed))
    throw new Error(
      `the receipt says that ${claimed} issued it, which is not trusted here. If you trust it: --issuer ${claimed}, or --keys with its ${evidenceKeysPath}`,
    );
  return { ...(await fetched()), trust: "loopback", fresh: async () => undefined };
}

/** Fetches the issuer's evidence keys and keeps them, so that receipts verify without it from now on. */
export async function keepKeys(dataDir: string, issuer: string): Promise<EvidenceKeySet> {
  const document = await fetchDocument(issuer);
  const keys = parseFor(issuer, document);
  const file = keptFile(dataDir, issuer);
  await mkdir(path.dirname(file), { recursive: true });
  await writeFile(`${file}.new`, `${JSON.stringify(document, null, 2)}\n`);
  await rename(`${file}.new`, file);
  return keys;
}

const fetchKeys = async (issuer: string): Promise<EvidenceKeySet> =>
  parseFor(issuer, await fetchDocument(issuer));

async function fetchDocument(issuer: string): Promise<Json> {
  if (!issuer.startsWith("https://") && !isLoopback(issuer))
    throw new Error(`${issuer} is neither https nor on this machine`);
  try {
    const response = await fetch(issuer + evidenceKeysPath, {
      redirect: "error",
      signal: AbortSignal.timeout(fetchTimeoutMs),
    });
    return parseJson(new Uint8Array(await response.arrayBuffer()));
  } catch (error) {
    throw new Error(
      `the keys of ${issuer} are neither kept here nor to be had now; save its ${evidenceKeysPath} and give it with --keys`,
      { cause: error },
    );
  }
}

function parseFor(issuer: string, document: Json): EvidenceKeySet {
  const keys = parseEvidenceKeys(document);
  if (keys.issuer !== issuer) throw new Error(`${issuer} answers with the keys of ${keys.issuer}`);
  return keys;
}

async function readKept(dataDir: string, issuer: string): Promise<EvidenceKeySet | undefined> {
  try {
    return parseFor(issuer, parseJson(await readFile(keptFile(dataDir, issuer))));
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

const keptFile = (dataDir: string, issuer: string): string => {
  const { protocol, host } = new URL(issuer);
  return path.join(dataDir, "trust", `${protocol.slice(0, -1)}-${host.replaceAll(/[^a-z0-9.-]/g, "-")}.json`);
};

const isLoopback = (origin: string): boolean =>
  ["localhost", "127.0.0.1", "[::1]"].includes(new URL(origin).hostname);
