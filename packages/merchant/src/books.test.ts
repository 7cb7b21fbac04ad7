import { instantOf, newId } from "@remit/kernel";
import type { JsonObject } from "@remit/protocol";
import { generateJwk } from "@remit/protocol/node";
import { describe, expect, test } from "vitest";
import { clientId, clockAt, issuer } from "../test/counterparts.ts";
import { type Books, createBooks, type Fetch } from "./index.ts";

const billing = "https://billing.example";
const merchantId = newId("merchant");
const period = { merchantId, currency: "USD", from: "2026-01-01T00:00:00Z", until: "2026-02-01T00:00:00Z" };
type Asked = { readonly url: string; readonly form: URLSearchParams | undefined };

/** An issuer that gives tokens for a secret, and a billing that answers as told. */
function open(answer: (path: string) => Response): { readonly books: Books; readonly asked: Asked[] } {
  const asked: Asked[] = [];
  const fetchAny: Fetch = async (url, init) => {
    const form = init.body instanceof URLSearchParams ? init.body : undefined;
    asked.push({ url, form });
    if (form !== undefined) return Response.json({ access_token: "t", token_type: "DPoP", expires_in: 300 });
    return answer(url.slice(billing.length));
  };
  const clock = clockAt({ now: instantOf(1_764_000_000_000) });
  const keys = { secret: "s3cret", dpop: generateJwk("ES256") };
  return { asked, books: createBooks({ issuer, billing, clientId, keys, fetch: fetchAny, clock }) };
}

const line = (at: number): JsonObject => ({
  entry: newId("entry"),
  kind: "charge",
  object: newId("payment"),
  transition: "captured",
  charge: newId("charge"),
  posted_at: "2026-01-02T00:00:00Z",
  gross_minor: 1_000,
  fee_minor: 59,
  net_minor: 941,
  balance_minor: 941 * at,
});
const statement = (lines: readonly JsonObject[], next: string | null, more: JsonObject = {}): JsonObject => ({
  merchant: merchantId,
  currency: "USD",
  from: period.from,
  until: period.until,
  opening_minor: 0,
  closing_minor: -941,
  totals: [{ kind: "charge", count: 3, gross_minor: 3_000, fee_minor: 177, net_minor: 2_823 }],
  lines,
  next_cursor: next,
  ...more,
});

describe("an organization's books", () => {
  test("are asked for with a token of the API key, for billing and for reading alone", async () => {
    const { books, asked } = open(() =>
      Response.json({ data: [{ merchant: merchantId, currency: "USD", owed_minor: -5, fees_due_minor: 7 }] }),
    );
    expect(await books.balances()).toEqual([{ merchantId, currency: "USD", owedMinor: -5, feesDueMinor: 7 }]);
    expect(Object.fromEntries(asked[0]?.form ?? [])).toEqual({
      grant_type: "client_credentials",
      scope: "billing:read",
      resource: billing,
      client_id: clientId,
      client_secret: "s3cret",
    });
    expect(asked[1]?.url).toBe(`${billing}/api/v1/merchant-balances`);
  });

  test("every line of a statement comes once, over as many pages as there are", async () => {
    const pages = [[line(1), line(2)], [line(3)]];
    const { books, asked } = open((path) =>
      Response.json(
        path.includes("cursor=next") ? statement(pages[1] ?? [], null) : statement(pages[0] ?? [], "next"),
      ),
    );
    const seen: number[] = [];
    for await (const { balanceMinor } of books.statementLines(period)) seen.push(balanceMinor);
    expect(seen).toEqual([941, 1_882, 2_823]);
    const [first] = asked.filter(({ url }) => url.includes("statements"));
    expect(first?.url).toBe(
      `${billing}/api/v1/statements/${merchantId}?currency=USD&from=2026-01-01T00%3A00%3A00Z&until=2026-02-01T00%3A00%3A00Z`,
    );
  });

  test("a file is of the type that was asked for, or none", async () => {
    const csv = (type: string, status = 200) =>
      open(() => new Response("a,b\r\n", { status, headers: { "content-type": type } })).books;
    const asked = (books: Books): Promise<Uint8Array> => books.statementFile(period, "text/csv");
    expect(new TextDecoder().decode(await asked(csv("text/csv; charset=utf-8")))).toBe("a,b\r\n");
    for (const books of [csv("text/html"), csv("text/csv", 500)])
      await expect(asked(books)).rejects.toMatchObject({ code: "unavailable" });
    const refused = open(() => Response.json({ code: "not_found" }, { status: 404 })).books;
    await expect(asked(refused)).rejects.toMatchObject({ code: "not_found", status: 404 });
  });

  test.each<[string, JsonObject]>([
    ["an amount that is no integer", { closing_minor: 1.5 }],
    ["an amount that is text", { opening_minor: "0" }],
    ["a line that is none", { lines: [7] }],
    ["a kind that nobody knows", { totals: [{ ...line(1), kind: "gift", count: 1 }] }],
    ["another's id", { merchant: newId("tenant") }],
    ["no end", { next_cursor: 7 }],
  ])("an answer with %s is no statement", async (_, more) => {
    const { books } = open(() => Response.json(statement([line(1)], null, more)));
    await expect(books.statement(period)).rejects.toMatchObject({ code: "unavailable" });
  });
});
