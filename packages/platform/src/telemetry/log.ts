import { type DestinationStream, type Logger, pino, stdTimeFunctions } from "pino";

export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";
export type LogFields = Readonly<Record<string, unknown>>;

/** Fields first, then the sentence. `child` adds fields to every line. */
export type Log = {
  /** Whether `debug` writes anything. */
  readonly isVerbose: boolean;
  debug(fields: LogFields, text: string): void;
  info(fields: LogFields, text: string): void;
  warn(fields: LogFields, text: string): void;
  error(fields: LogFields, text: string): void;
  child(fields: LogFields): Log;
};

const secretNames = [
  "access_token",
  "api_key",
  "assertion",
  "authorization",
  "client_assertion",
  "client_secret",
  "authorization_code",
  "code_verifier",
  "cookie",
  "dpop",
  "id_token",
  "password",
  "payment-authorization",
  "payment-signature",
  "presentation",
  "proxy-authorization",
  "refresh_token",
  "secret",
  "set-cookie",
  "setup_token",
  "spt",
  "subject_token",
  "token",
  "x-payment",
];

// pino's `*.token` does not cover the top level, so each name stands at the depths at which we log.
const redactedPaths = secretNames.flatMap((name) => {
  const member = `["${name}"]`;
  return [member, `*${member}`, `*.*${member}`, `*.*.*${member}`];
});

const textLengthMax = 4096;

/**
 * A JSON line per event on `destination` (stdout by default); plain lines when it is a terminal. Secrets are redacted by
 * name; JSON encodes control characters, the plain form encodes them itself (L14).
 */
export function createLog(options: {
  readonly service: string;
  readonly level?: LogLevel;
  readonly destination?: DestinationStream;
  readonly plain?: boolean;
}): Log {
  const plain = options.plain ?? (options.destination === undefined && process.stdout.isTTY);
  const out = options.destination ?? process.stdout;
  const destination: DestinationStream = {
    write: (line) => out.write(plain ? toPlain(line) : `${encoded(line.trimEnd())}\n`),
  };
  const logger = pino(
    {
      level: options.level ?? "info",
      base: { service: options.service },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: redactedPaths, censor: "[secret]" },
      serializers: { err: describeError, error: describeError },
    },
    destination,
  );
  return wrap(logger);
}

function wrap(logger: Logger): Log {
  return {
    isVerbose: logger.isLevelEnabled("debug"),
    debug: (fields, text) => logger.debug(fields, cut(text)),
    info: (fields, text) => logger.info(fields, cut(text)),
    warn: (fields, text) => logger.warn(fields, cut(text)),
    error: (fields, text) => logger.error(fields, cut(text)),
    child: (fields) => wrap(logger.child(fields)),
  };
}

const cut = (text: string): string =>
  text.length > textLengthMax ? `${text.slice(0, textLengthMax)}…` : text;

// Errors of strangers carry requests, configurations and secrets as properties: only these members are ours to log.
function describeError(error: unknown): unknown {
  if (!(error instanceof Error)) return cut(String(error));
  const { code, private: ours } = error as Error & { code?: unknown; private?: unknown }; // members that may be missing
  return {
    type: error.name,
    message: cut(error.message),
    stack: cut(error.stack ?? ""),
    ...(typeof code === "string" ? { code } : {}),
    ...(ours === undefined ? {} : { private: ours }),
    ...(error.cause instanceof Error ? { cause: describeError(error.cause) } : {}),
  };
}

/** `12:00:00 INFO  billing  text  key=value`, with every control character of a value encoded. */
function toPlain(line: string): string {
  const { level, time, service, msg, ...fields } = JSON.parse(line) as Record<string, unknown>; // a line pino just wrote
  const rest = Object.entries(fields).map(([name, value]) => `${name}=${visible(value)}`);
  const head = `${String(time).slice(11, 19)} ${String(level).toUpperCase().padEnd(5)} ${String(service)}`;
  return `${[`${head}  ${visible(msg ?? "")}`, ...rest].join("  ")}\n`;
}

const visible = (value: unknown): string =>
  encoded(typeof value === "string" ? value : JSON.stringify(value));

/** Controls, line and paragraph separators, and the marks that reorder a line on a terminal, as JSON escapes them. */
const encoded = (text: string): string =>
  text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
