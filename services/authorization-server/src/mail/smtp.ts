import type { Secret } from "@remit/kernel";
import { createTransport } from "nodemailer";
import type { MailEngine } from "./mail.ts";

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
