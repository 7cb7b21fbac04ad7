import { createCipheriv, createDecipheriv, randomBytes } from "node:crypto";
import { after, type Instant, instantOf } from "@remit/kernel";
import { claimFirstUse } from "@remit/platform/once";
import type { Tx } from "@remit/platform/sql";
import { Problem } from "@remit/protocol";
import type { z } from "zod";

/**
 * What a form carries from one page of a conversation to the next: sealed, so that the browser can neither read nor
 * change it, and good for one purpose in one conversation. Nothing is stored for somebody who only looks.
 */
export type Tickets = {
  seal(of: TicketOf, content: object): string;
  /** Throws `invalid_request` for a ticket that is not ours, of another purpose or conversation, or too old. */
  open<S extends z.ZodType>(of: Opening, content: S): Ticket<z.output<S>>;
  /** Uses it up, in the transaction of what it is used for; throws when it was used before. */
  claim(tx: Tx, ticket: Ticket<unknown>): Promise<void>;
};

export type TicketOf = {
  readonly purpose: string;
  readonly conversation: string;
  readonly now: Instant;
  readonly lifeMs: number;
};
export type Opening = Omit<TicketOf, "lifeMs"> & { readonly text: string };
/** `madeAt`: one that names an account counts for nothing once its person got back in after that (`Accounts.byId`). */
export type Ticket<T> = {
  readonly id: string;
  readonly madeAt: Instant;
  readonly until: Instant;
  readonly content: T;
};

const refused = (): Problem =>
  new Problem("invalid_request", { detail: "This page has expired. Go back and begin again." });

const nonceBytes = 12;
const tagBytes = 16;

/** `key`: 32 bytes, for nothing else. */
export function createTickets(key: Uint8Array): Tickets {
  const aadOf = ({ purpose, conversation }: { purpose: string; conversation: string }): Buffer =>
    Buffer.from(JSON.stringify([purpose, conversation]));
  return {
    seal(of, content) {
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(aadOf(of));
      const plain = JSON.stringify({ made: of.now, until: after(of.now, of.lifeMs), content });
      const sealed = [nonce, cipher.update(plain, "utf8"), cipher.final(), cipher.getAuthTag()];
      return Buffer.concat(sealed).toString("base64url");
    },
    open(of, schema) {
      const bytes = Buffer.from(of.text, "base64url");
      if (bytes.length < nonceBytes + tagBytes) throw refused();
      const nonce = bytes.subarray(0, nonceBytes);
      const decipher = createDecipheriv("aes-256-gcm", key, nonce).setAAD(aadOf(of));
      decipher.setAuthTag(bytes.subarray(-tagBytes));
      const plain = readSealed(decipher, bytes.subarray(nonceBytes, -tagBytes));
      const { made, until, content } = Object(JSON.parse(plain));
      if (of.now >= until) throw refused();
      return {
        id: nonce.toString("base64url"),
        madeAt: instantOf(made),
        until: instantOf(until),
        content: schema.parse(content),
      };
    },
    async claim(tx, { id, until }) {
      if (!(await claimFirstUse(tx, `ticket:${id}`, until))) throw refused();
    },
  };
}

function readSealed(decipher: ReturnType<typeof createDecipheriv>, sealed: Uint8Array): string {
  try {
    return decipher.update(sealed).toString("utf8") + decipher.final("utf8");
  } catch {
    throw refused();
  }
}
