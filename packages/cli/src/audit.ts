import type { DevFile } from "@remit/embedded";
import {
  type AuditBreak,
  type AuditCheckpoint,
  type AuditEntry,
  type AuditRemoval,
  base64url,
  type ChainVerifier,
  createChainVerifier,
  edgeOf,
  examineCheckpoint,
  examineRemoval,
  examineTreeCheckpoint,
  growingTree,
  isConsistent,
  type PublicJwk,
  parseEvidenceKeys,
  parseJson,
  removes,
} from "@remit/protocol";
import {
  AuditConsistency,
  AuditEventBody,
  AuditPage,
  AuditRangePlaces,
  AuditRemovals,
  AuditVerification,
} from "@remit/protocol/contracts";
import { settle, sha256 } from "@remit/protocol/node";
import { bad, good, print, printJson } from "./output.ts";
import { callAsOperator, getJson, getText, withInstance } from "./running/index.ts";
import type { Where } from "./where.ts";

export type AuditReport = {
  readonly verified: boolean;
  readonly checked_count: number;
  readonly head_seq: number;
  readonly checkpoint: AuditCheckpoint | null;
  readonly broken_at_seq?: number;
  readonly reason?: string;
};

const pageMax = 1000;

/** The whole log, or what was recorded between two days or times. */
export type AuditTime = { readonly from?: string; readonly to?: string };

/**
 * Two answers that must agree: what the server says of its log, and what this process finds when it recomputes every
 * hash from the entries themselves and checks the signed checkpoints with the issuer's published keys.
 */
export async function readAuditReport(dev: DevFile, time: AuditTime = {}): Promise<AuditReport> {
  const server = AuditVerification.parse(
    await getJson(dev, dev.issuer, `/api/v1/audit/verify${queryOf(time)}`),
  );
  const span = await spanOf(dev, time, server.checkpoint);
  const own = await walk(dev, span);
  const broken =
    own.broken ??
    (time.from === undefined && time.to === undefined ? await wrongTree(dev, span.over) : undefined) ??
    (server.verified
      ? undefined
      : { seq: server.brokenAtSeq ?? 0, reason: server.reason ?? "the server says so" });
  return {
    verified: broken === undefined,
    checked_count: own.headSeq - (span.start?.head_seq ?? 0),
    head_seq: own.headSeq,
    checkpoint: span.over ?? null,
    ...(broken === undefined ? {} : { broken_at_seq: broken.seq, reason: broken.reason }),
  };
}

const queryOf = ({ from, to }: AuditTime): string => {
  const given = {
    ...(from === undefined ? {} : { fromDate: from }),
    ...(to === undefined ? {} : { toDate: to }),
  };
  const query = new URLSearchParams(given).toString();
  return query === "" ? "" : `?${query}`;
};

/** From which signed checkpoint on, under which one, and up to which place. */
type Span = {
  readonly start: AuditCheckpoint | undefined;
  readonly over: AuditCheckpoint | undefined;
  readonly to: number;
  /** The right edge of the tree under `start`. */
  readonly edge?: readonly Uint8Array[] | undefined;
};

async function spanOf(dev: DevFile, time: AuditTime, newest: string | null): Promise<Span> {
  const read = async (jws: string | null): Promise<AuditCheckpoint | undefined> =>
    jws === null ? undefined : signedCheckpoint(dev, jws);
  const asked = queryOf(time);
  if (asked === "") return { start: undefined, over: await read(newest), to: Number.MAX_SAFE_INTEGER };
  const places = AuditRangePlaces.parse(await getJson(dev, dev.issuer, `/api/v1/audit/range${asked}`));
  const start = await read(places.starts_at);
  const edge = start && edgeOfStart(start, places.starts_with);
  return { start, over: await read(places.ends_at ?? newest), to: places.to_seq, edge };
}

/** What the server says the tree consists of before a range must give the root that was signed over it. */
function edgeOfStart(start: AuditCheckpoint, given: readonly string[] | null): Uint8Array[] | undefined {
  if (start.root_hash === undefined) return undefined;
  const edge = (given ?? []).map(bytes);
  const size = start.head_seq;
  const isWhole = edge.length === edgeOf(size).length;
  const root = isWhole ? base64url.encode(growingTree(sha256, { size, edge }).root()) : undefined;
  if (root !== start.root_hash)
    throw new Error("the tree before the range differs from its signed checkpoint");
  return edge;
}

const signedCheckpoint = async (dev: DevFile, jws: string): Promise<AuditCheckpoint> =>
  settle(examineCheckpoint(jws, await auditKeys(dev)));

async function auditKeys(dev: DevFile): Promise<PublicJwk[]> {
  const response = await fetch(`${dev.issuer}/.well-known/remit-keys`);
  const { keys } = parseEvidenceKeys(parseJson(new Uint8Array(await response.arrayBuffer())));
  return keys.filter(({ purpose }) => purpose === "audit").map(({ jwk }) => jwk);
}

/** The newest signed note is of the same tree, or of one that is proven to have begun with it. */
async function wrongTree(dev: DevFile, over: AuditCheckpoint | undefined): Promise<AuditBreak | undefined> {
  const note = over?.root_hash === undefined ? undefined : await getText(dev, "/api/v1/audit/checkpoint");
  if (over?.root_hash === undefined || note === undefined) return undefined;
  const origin = `${new URL(dev.issuer).host}/audit/${dev.tenant.id}`;
  const signed = settle(examineTreeCheckpoint(sha256, note, { origin, keys: await auditKeys(dev) }));
  const [first, second] = [over.head_seq, signed.size];
  const path = `/api/v1/audit/consistency?first=${first}&second=${second}`;
  const proof = AuditConsistency.parse(await getJson(dev, dev.issuer, path));
  const isOne = isConsistent(sha256, {
    first: { size: first, root: bytes(over.root_hash) },
    second: signed,
    hashes: proof.hashes.map(bytes),
  });
  return isOne ? undefined : { seq: first, reason: "the newest signed tree did not begin with this log" };
}

const bytes = (hash: string): Uint8Array => base64url.decode(hash) ?? new Uint8Array();

async function walk(
  dev: DevFile,
  { start, over, to, edge }: Span,
): Promise<{ headSeq: number; broken: AuditBreak | undefined }> {
  const verifier = createChainVerifier(sha256, dev.tenant.id, {
    remember: new Set(over === undefined ? [] : [over.head_seq]),
    ...(start === undefined
      ? {}
      : { after: { seq: start.head_seq, entryHash: start.head_entry_hash, edge } }),
  });
  const removal = await removalsOf(dev);
  while (verifier.headSeq < to) {
    const limit = Math.min(pageMax, to - verifier.headSeq);
    const cursor = verifier.headSeq === 0 ? "" : `&cursor=${verifier.headSeq}`;
    const page = AuditPage.parse(await getJson(dev, dev.issuer, `/api/v1/audit?limit=${limit}${cursor}`));
    const places = [
      ...page.data.map((entry) => ({ seq: entry.seq, entry })),
      ...page.gaps.map((gap) => ({ seq: gap.seq, gap })),
    ].toSorted((a, b) => a.seq - b.seq);
    for (const place of places) {
      const broken =
        "gap" in place ? await passed(verifier, place.gap, removal) : accepted(verifier, place.entry);
      if (broken !== undefined) return { headSeq: verifier.headSeq, broken };
    }
    if (page.next_cursor === null) break;
  }
  // A range that begins at the newest checkpoint has none over it yet.
  const signed = over !== undefined && over.head_seq > (start?.head_seq ?? 0);
  const broken = signed ? verifier.holds(over) : undefined;
  return { headSeq: verifier.headSeq, broken: broken ?? verifier.unheld() };
}

type Gap = AuditPage["gaps"][number];

// The contract has checked the members by which the chain is linked; the rest is hashed as it came.
const accepted = (verifier: ChainVerifier, entry: object): AuditBreak | undefined =>
  verifier.accept(entry as AuditEntry);

/** A place without its body counts where an entry of the log says so in a statement that the issuer signed. */
async function passed(
  verifier: ChainVerifier,
  { seq, prev_hash, entry_hash, leaf, ...gap }: Gap,
  removal: (entry: string) => Promise<AuditRemoval | undefined>,
): Promise<AuditBreak | undefined> {
  if (gap.missing !== "removed" || gap.removed_by === undefined)
    return { seq, reason: "the entry cannot be read" };
  const said = await removal(gap.removed_by);
  if (said === undefined || !removes(said, seq))
    return { seq, reason: "the entry was removed, and no signed statement says so" };
  return verifier.pass({ seq, prev_hash, entry_hash, leaf: bytes(leaf) });
}

/** The statements of removal, each read once and its signature verified. */
async function removalsOf(dev: DevFile): Promise<(entry: string) => Promise<AuditRemoval | undefined>> {
  const keys = await auditKeys(dev);
  const known = new Map<string, AuditRemoval | undefined>();
  return async (entry) => {
    if (!known.has(entry)) {
      const { entry: said } = AuditEventBody.parse(await getJson(dev, dev.issuer, `/api/v1/audit/${entry}`));
      const { payload } = said;
      const statement = Object(payload)["statement"] as unknown;
      const removal = settle(examineRemoval(typeof statement === "string" ? statement : "", keys));
      const isOurs = removal.jti === entry && removal.tenant_id === dev.tenant.id;
      known.set(entry, isOurs ? removal : undefined);
    }
    return known.get(entry);
  };
}

export const expireAudit = (options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const path = "/api/v1/audit/removals";
    const asked = await callAsOperator(dev, { origin: dev.issuer, method: "POST", path });
    const { removes: removed } = AuditRemovals.parse(asked);
    if (options.json === true) return printJson({ queued: true, removes: removed });
    print(good("What has expired is being said in each log, signed, by an entry audit.expired."));
    if (!removed) print("The owner of the database removes it then: call expire_audit_bodies();");
  });

export type AuditWish = Where & AuditTime;

export const verifyAudit = (options: AuditWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const report = await readAuditReport(dev, options);
    if (options.json === true) printJson(report);
    else print(sentence(report));
    if (!report.verified) process.exitCode = 1;
  });

const sentence = (report: AuditReport): string => {
  if (!report.verified)
    return bad(`The audit log is broken at entry ${report.broken_at_seq}: ${report.reason}.`);
  const signed =
    report.checkpoint === null
      ? "no checkpoint yet"
      : `signed up to entry ${report.checkpoint.head_seq} at ${report.checkpoint.signed_at}`;
  return good(`The audit log is whole: ${report.checked_count} entries, ${signed}.`);
};
