import path from "node:path";
import { type DevFile, readDevFile, runningIn } from "@remit/embedded";
import { bad, good, print, printJson } from "./output.ts";
import type { Where } from "./where.ts";

type Finding = {
  readonly check: string;
  readonly ok: boolean;
  readonly detail: string;
  readonly remedy?: string;
};

const skewMsMax = 2000;
const requestTimeoutMs = 5000;

/** Looks for what would stop or endanger an instance, and says what to do about it. */
export async function doctor(options: Where): Promise<void> {
  const dataDir = path.resolve(options.dataDir);
  const pid = await runningIn(dataDir);
  const dev = await readDevFile(dataDir);
  const findings = [
    runtime(),
    {
      check: "instance",
      ok: pid !== undefined,
      detail:
        pid === undefined
          ? `nothing runs in ${options.dataDir}`
          : `process ${pid} runs in ${options.dataDir}`,
      remedy: "npm start",
    },
    ...(dev === undefined || pid === undefined ? [] : await services(dev)),
  ];
  if (options.json === true) printJson({ healthy: findings.every(({ ok }) => ok), findings });
  else for (const finding of findings) print(inWords(finding));
  if (findings.some(({ ok }) => !ok)) process.exitCode = 1;
}

function runtime(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  return {
    check: "runtime",
    ok: major > 22 || (major === 22 && minor >= 18),
    detail: `Node ${process.versions.node}`,
    remedy: "npm delivers Node 24: run commands as npx remit, not with the machine's Node",
  };
}

async function services(dev: DevFile): Promise<Finding[]> {
  const origins = {
    issuer: dev.issuer,
    directory: dev.directory,
    billing: dev.billing,
    gateway: dev.gateway,
  };
  return (await Promise.all(Object.entries(origins).map(([name, origin]) => service(name, origin)))).flat();
}

async function service(name: string, origin: string): Promise<Finding[]> {
  const check = `${name} ${origin}`;
  try {
    const asked = performance.timeOrigin + performance.now();
    const response = await fetch(`${origin}/health`, { signal: AbortSignal.timeout(requestTimeoutMs) });
    const health: unknown = await response.json();
    const date = Date.parse(response.headers.get("date") ?? "");
    const skew = Math.abs(date - asked);
    return [
      { check, ok: response.ok, detail: JSON.stringify(health), remedy: "see the log of this service" },
      ...(Number.isNaN(date)
        ? []
        : [
            {
              check: `${name} clock`,
              ok: skew <= skewMsMax,
              detail: `${Math.round(skew)} ms from this machine's`,
              remedy: "synchronise both clocks: tokens and proofs count in seconds",
            },
          ]),
    ];
  } catch (error) {
    return [
      {
        check,
        ok: false,
        detail: error instanceof Error ? error.message : String(error),
        remedy: "start it, or see its log",
      },
    ];
  }
}

const inWords = ({ check, ok, detail, remedy }: Finding): string =>
  `${ok ? good("✓") : bad("✗")} ${check}: ${detail}${ok || remedy === undefined ? "" : `\n    ${remedy}`}`;
