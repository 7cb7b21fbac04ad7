import {
  OfferAmount,
  OfferName,
  OfferRoute,
  type SellingRail,
  sellingRails,
  ToolName,
} from "@remit/protocol/contracts";
import { InvalidArgumentError } from "commander";

// What stands behind each flag of `remit sell`, as the person wrote it.

/** Commas between, repeated flags add up. */
export function railsIn(text: string, before: readonly SellingRail[] = []): readonly SellingRail[] {
  const named = text.split(",").map((name) => {
    const rail = sellingRails.find((known) => known === name.trim().toLowerCase());
    // The word of the seeds for what is paid on a chain.
    if (rail === undefined && name.trim() === "crypto") return "x402" as const;
    if (rail === undefined) throw new InvalidArgumentError(`${sellingRails.join(", ")}; not ${name}`);
    return rail;
  });
  return [...new Set([...before, ...named])];
}

export function amount(text: string): string {
  if (!OfferAmount.safeParse(text).success) throw new InvalidArgumentError("a decimal, such as 0.05");
  return text;
}

export function currency(text: string): string {
  if (!/^[a-z]{3}$/i.test(text)) throw new InvalidArgumentError("three letters, such as usd");
  return text.toUpperCase();
}

export function offerName(text: string): string {
  if (!OfferName.safeParse(text).success)
    throw new InvalidArgumentError("lower-case letters, digits and hyphens, such as weather");
  return text;
}

/** An origin. What people write behind it is told to them, not dropped. */
export function upstream(text: string): string {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new InvalidArgumentError("an http(s) address, such as http://localhost:9000");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "" || url.username !== "")
    throw new InvalidArgumentError(`an origin with nothing behind it: ${url.origin}`);
  return url.origin;
}

/** The address of an MCP server: where it is, and at which path it is sold too. */
export function mcpUpstream(text: string): { readonly origin: string; readonly path: string } {
  const url = URL.parse(text);
  if (url === null || !/^https?:$/.test(url.protocol) || url.username !== "")
    throw new InvalidArgumentError("an http(s) address, such as http://localhost:9000/mcp");
  if (url.search !== "" || url.hash !== "")
    throw new InvalidArgumentError(`an address with nothing behind it: ${url.origin}${url.pathname}`);
  return { origin: url.origin, path: url.pathname };
}

export type ToolPrice = Pick<OfferRoute, "tool" | "gate" | "price">;

/** `search=0.05`, `echo=free`; `*` is every tool that is not named. Repeated flags add up. */
export function toolPrice(text: string, before: readonly ToolPrice[] = []): readonly ToolPrice[] {
  const [, tool = "", costs = ""] = /^([^=]+)=(.+)$/.exec(text) ?? [];
  if (!ToolName.safeParse(tool).success)
    throw new InvalidArgumentError("a tool and what it costs, such as search=0.05 or echo=free");
  if (before.some((known) => known.tool === tool)) throw new InvalidArgumentError(`${tool} stands twice`);
  return [
    ...before,
    costs === "free" ? { tool, gate: "free" } : { tool, gate: "paid", price: amount(costs) },
  ];
}

export function address(text: string): string {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text)) throw new InvalidArgumentError("an address: 0x and 40 hex digits");
  return text;
}

/** A name of one label or several, as it stands in a URL, and perhaps with the gateway's own port. */
export function hostname(text: string): string {
  const url = URL.parse(`http://${text}`);
  const isName = /^(?!-)[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*(:\d{1,5})?$/.test(text) && text.length <= 200;
  if (!isName || url === null || /^[\d.]+$/.test(url.hostname))
    throw new InvalidArgumentError("a host, such as shop.localhost or shop.example");
  return text;
}

export function port(text: string): number {
  const number = /^\d+$/.test(text) ? Number(text) : 0;
  if (number < 1426 || number > 65_036) throw new InvalidArgumentError("a port from 1426 to 65036");
  return number;
}

const lineMembers = ["path", "tool", "methods", "price", "gate", "summary"] as const;

/**
 * `path=/v1/*,methods=GET|POST,price=0.05,gate=paid,summary=Everything`: one line of a route table. Commas part members;
 * what follows `summary=` is text to its end.
 */
export function routeLine(text: string, before: readonly OfferRoute[] = []): readonly OfferRoute[] {
  const given = membersOf(text);
  const { methods, ...rest } = given;
  const line = OfferRoute.safeParse({
    ...rest,
    ...(methods !== undefined && { methods: methods.split(/[|+ ]/).map((method) => method.toUpperCase()) }),
  });
  if (line.success) return [...before, line.data];
  const [issue] = line.error.issues;
  throw new InvalidArgumentError(
    `${issue?.path.join(".") ?? "the line"}: ${issue?.message ?? "is not right"}`,
  );
}

function membersOf(text: string): Partial<Record<(typeof lineMembers)[number], string>> {
  const cut = /(?:^|,)summary=/.exec(text);
  const summary = cut === null ? undefined : text.slice(cut.index + cut[0].length);
  const head = cut === null ? text : text.slice(0, cut.index);
  const given: Partial<Record<(typeof lineMembers)[number], string>> =
    summary === undefined ? {} : { summary };
  for (const part of head === "" ? [] : head.split(",")) {
    const [, word, value] = /^([a-z]+)=(.*)$/.exec(part) ?? [];
    const name = lineMembers.find((member) => member === word);
    if (name === undefined || value === undefined)
      throw new InvalidArgumentError(
        given.methods !== undefined && /^[A-Za-z]+$/.test(part)
          ? "methods with | between: methods=GET|POST"
          : `members are ${lineMembers.join("=, ")}=, such as path=/v1/*,price=0.05; not ${part}`,
      );
    if (given[name] !== undefined) throw new InvalidArgumentError(`${name}= stands twice`);
    given[name] = value;
  }
  return given;
}
