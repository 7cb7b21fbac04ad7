import type { Secret } from "@remit/kernel";
import { createTransport } from "nodemailer";
import type { MailEngine } from "./letter.ts";

export type SmtpSettings = {
  /** `smtps://user:password@host`, or `smtp://host` where TLS is asked for and not required. */
  readonly url: Secret<string>;
  readonly from: string;
};

const waitMsMax = 10_000;

/** A server of SMTP (RFC 5321). Each letter once per attempt; the id stays, so that a second copy is seen to be one. */
export function createSmtp({ url, from }: SmtpSettings): MailEngine & { close(): void } {
  const transport = createTransport({
    url: url.reveal(),
    connectionTimeout: waitMsMax,
    greetingTimeout: waitMsMax,
    socketTimeout: waitMsMax,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  return {
    deliver: async ({ id, to, subject, text }) => {
      const domain = from.slice(from.lastIndexOf("@") + 1).replace(/>$/, "");
      // An object, not a text: what an address holds is never read as a list of addresses.
      const addressee = { name: "", address: to };
      await transport.sendMail({ messageId: `<${id}@${domain}>`, from, to: addressee, subject, text });
    },
    close: () => transport.close(),
  };
}

/**
 * What became of a letter that could not be carried: `refused` for good (RFC 5321 §4.2.1, 5yz), `not_sent` when its text had
 * certainly not been handed over, or `unknown` otherwise.
 */
export type AfterTrouble = "refused" | "not_sent" | "unknown";

/** What can only have happened before the text was handed over; of a line that broke off nobody knows when it did. */
const beforeText: ReadonlySet<unknown> = new Set(["EAUTH", "EDNS", "EENVELOPE", "ETLS"]);

export function afterTrouble(error: unknown): AfterTrouble {
  const { responseCode, code, syscall } = Object(error);
  if (typeof responseCode === "number") return responseCode >= 500 ? "refused" : "not_sent";
  return beforeText.has(code) || syscall === "connect" ? "not_sent" : "unknown";
}
