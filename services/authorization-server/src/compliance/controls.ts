import { dayMs, hourMs, type Instant, minuteMs } from "@remit/kernel";
import type { ComplianceControl } from "@remit/protocol/contracts";

/** What was found of the installation a moment ago. */
export type Findings = {
  readonly now: Instant;
  readonly issuer: string;
  readonly tables: { readonly all: number; readonly unprotected: readonly string[] };
  /** Why the database role could see past row-level security; undefined when it cannot. */
  readonly unsafeRole: string | undefined;
  readonly keys: {
    readonly signing: number;
    /** Private parts that are neither encrypted here nor elsewhere. */
    readonly unwrapped: number;
    readonly oldestCurrentSince: Instant | undefined;
  };
  readonly audit: {
    readonly logs: number;
    readonly broken: number;
    /** Of those that were; undefined when none was yet. */
    readonly oldestVerifiedAt: Instant | undefined;
    readonly unverified: number;
    /** Since when the log that has waited longest for a signature waits. */
    readonly unsigned: number;
  };
};

const rotationDays = 90;
// A key that is due is replaced by an hourly job, after the next one was published long enough.
const graceDays = 3;
const verifiedWithinMs = 2 * hourMs;

type Status = ComplianceControl["status"];

const passing = (good: boolean): Status => (good ? "passing" : "failing");

/** SOC 2 controls, each judged by what was found and by nothing else. Who has not been verified yet is `unknown`. */
export const controlsOf = (found: Findings): Omit<ComplianceControl, "checkedAt">[] => [
  encryption(found),
  transport(found),
  audit(found),
  rotation(found),
];

function encryption({ tables, keys, unsafeRole }: Findings): Omit<ComplianceControl, "checkedAt"> {
  return {
    id: "CC6.1",
    name: "Logical access and encryption at rest",
    status: passing(
      tables.all > 0 && tables.unprotected.length === 0 && keys.unwrapped === 0 && unsafeRole === undefined,
    ),
    evidence: {
      tenantTables: tables.all,
      tenantTablesWithoutForcedRowSecurity: tables.unprotected.length,
      databaseRoleIsBoundByRowSecurity: unsafeRole === undefined,
      signingKeys: keys.signing,
      signingKeysNotEncrypted: keys.unwrapped,
    },
  };
}

function transport({ issuer }: Findings): Omit<ComplianceControl, "checkedAt"> {
  const { protocol } = new URL(issuer);
  return {
    id: "CC6.7",
    name: "Encryption in transit",
    status: passing(protocol === "https:"),
    evidence: { issuerScheme: protocol.slice(0, -1), strictTransportSecurity: protocol === "https:" },
  };
}

function audit({ audit: found, now }: Findings): Omit<ComplianceControl, "checkedAt"> {
  const { logs, broken, oldestVerifiedAt, unsigned, unverified } = found;
  const stale = unverified > 0 || oldestVerifiedAt === undefined || now - oldestVerifiedAt > verifiedWithinMs;
  return {
    id: "CC7.2",
    name: "Tamper-evident audit log",
    status: broken > 0 ? "failing" : stale ? "unknown" : passing(true),
    evidence: {
      logsVerified: logs,
      logsBroken: broken,
      logsNeverVerified: unverified,
      logsWithUnsignedEntries: unsigned,
      oldestVerificationMinutesAgo:
        oldestVerifiedAt === undefined ? null : Math.floor((now - oldestVerifiedAt) / minuteMs),
    },
  };
}

function rotation({ keys, now }: Findings): Omit<ComplianceControl, "checkedAt"> {
  const { oldestCurrentSince: since } = keys;
  const days = since === undefined ? null : Math.max(0, Math.floor((now - since) / dayMs));
  return {
    id: "CC9.2",
    name: "Rotation of keys",
    status: days === null ? "unknown" : passing(days <= rotationDays + graceDays),
    evidence: { oldestCurrentSigningKeyDays: days, rotationDays },
  };
}
