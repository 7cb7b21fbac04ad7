import { mkdir, readdir, readFile, rename, writeFile } from "node:fs/promises";
import path from "node:path";
import type { Letter, MailEngine } from "./letter.ts";

/** For development: each letter is a file, `<id>.eml`, which every mail program opens (RFC 5322). */
export const createInbox = (directory: string): MailEngine => ({
  async deliver({ id, ...letter }) {
    await mkdir(directory, { recursive: true, mode: 0o700 });
    const file = path.join(directory, `${id}.eml`);
    await writeFile(`${file}.new`, emlOf(id, letter), { mode: 0o600 });
    await rename(`${file}.new`, file);
  },
});

/** The letters of an inbox, oldest first; one person's, or all. */
export async function lettersIn(directory: string, to?: string): Promise<Letter[]> {
  const names = await readdir(directory).catch(() => []);
  const files = names.filter((name) => name.endsWith(".eml")).sort();
  const letters = await Promise.all(
    files.map(async (name) => letterOf(await readFile(path.join(directory, name), "utf8"))),
  );
  return letters.filter((letter) => to === undefined || letter.to === to);
}

const emlOf = (id: string, { to, subject, text }: Letter): string =>
  [
    `To: ${lineOf(to)}`,
    "From: Remit <remit@localhost>",
    `Subject: =?utf-8?B?${Buffer.from(subject, "utf8").toString("base64")}?=`,
    `Message-ID: <${id}@localhost>`,
    "MIME-Version: 1.0",
    "Content-Type: text/plain; charset=utf-8",
    "Content-Transfer-Encoding: 8bit",
    "",
    text,
  ].join("\r\n");

// A line break in an address would begin another header.
const lineOf = (text: string): string => text.replace(/[\r\n]/g, "");

function letterOf(eml: string): Letter {
  const [head = "", ...rest] = eml.split("\r\n\r\n");
  const header = (name: string): string => new RegExp(`^${name}: (.*)$`, "m").exec(head)?.[1]?.trim() ?? "";
  const encoded = /^=\?utf-8\?B\?(.*)\?=$/.exec(header("Subject"))?.[1] ?? "";
  return {
    to: header("To"),
    subject: Buffer.from(encoded, "base64").toString("utf8"),
    text: rest.join("\r\n\r\n"),
  };
}
