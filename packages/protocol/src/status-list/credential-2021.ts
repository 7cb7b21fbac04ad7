import { type Instant, toRfc3339 } from "@remit/kernel";
import { base64url, type JsonObject } from "../encoding/index.ts";

export type StatusList2021ToIssue = {
  /** The credential's own address. */
  readonly uri: string;
  readonly issuer: string;
  readonly purpose: "revocation" | "suspension";
  /** The bits in gzip form. */
  readonly compressed: Uint8Array;
  readonly issuedAt: Instant;
};

export const statusList2021MediaType = "application/vc+ld+json";

/** W3C StatusList2021 §4.2, without a proof. */
export const statusList2021Credential = (list: StatusList2021ToIssue): JsonObject => ({
  "@context": ["https://www.w3.org/2018/credentials/v1", "https://w3id.org/vc/status-list/2021/v1"],
  id: list.uri,
  type: ["VerifiableCredential", "StatusList2021Credential"],
  issuer: list.issuer,
  issuanceDate: toRfc3339(list.issuedAt),
  credentialSubject: {
    id: `${list.uri}#list`,
    type: "StatusList2021",
    statusPurpose: list.purpose,
    encodedList: base64url.encode(list.compressed),
  },
});
