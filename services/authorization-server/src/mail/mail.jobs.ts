import type { Jobs } from "@remit/platform/jobs";
import type { Keyring } from "@remit/platform/keys";
import type { MailEngine } from "@remit/platform/mail";
import type { Database } from "@remit/platform/sql";
import { mailQueue, openLetter } from "./mail.ts";

/** Carries what was written, again when it could not be carried; a code that comes twice is the same code. */
export const mailJobs = (
  jobs: Jobs,
  { db, keyring, engine }: { db: Database; keyring: Keyring; engine: MailEngine },
): Jobs =>
  jobs.on(mailQueue, {
    attemptsMax: 8,
    handle: async ({ id, payload }) => {
      const letter = await db.global.transaction((tx) => openLetter(keyring, tx, payload));
      if (letter !== undefined) await engine.deliver({ ...letter, id });
    },
  });
