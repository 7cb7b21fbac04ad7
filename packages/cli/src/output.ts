export const print = (text: string): void => void process.stdout.write(`${text}\n`);
export const note = (text: string): void => void process.stderr.write(`${text}\n`);
export const printJson = (value: unknown): void => print(JSON.stringify(value, null, 2));

const colours = process.stdout.isTTY && process.env.NO_COLOR === undefined;
const paint = (code: number, text: string): string => (colours ? `\u001b[${code}m${text}\u001b[0m` : text);

export const bold = (text: string): string => paint(1, text);
export const faint = (text: string): string => paint(2, text);
export const good = (text: string): string => paint(32, text);
export const bad = (text: string): string => paint(31, text);

/** What somebody else wrote, without what a terminal would obey or not show. */
export const harmless = (text: string): string =>
  text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16)}}`);

/** Runs a command; what it refuses becomes a sentence and exit code 1 instead of a stack. */
export async function failWith(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    // What may refuse knows every service; help and version must not wait for it.
    const { sentenceOf } = await import("./refusals.ts");
    note(bad(sentenceOf(error)));
    process.exitCode = 1;
  }
}

/** How long this process has been running. */
export const sinceStart = (): string => `${(performance.now() / 1000).toFixed(1)} s`;
