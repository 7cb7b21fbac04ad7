/** A letter to one person. */
export type Letter = { readonly to: string; readonly subject: string; readonly text: string };

/** What carries letters: the inbox of development, or a server of SMTP. Throws when it could not. */
export type MailEngine = { deliver(letter: Letter & { readonly id: string }): Promise<void> };
