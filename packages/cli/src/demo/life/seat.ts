import { createPerson, type DevFile } from "@remit/embedded";
import { isJsonObject, type JsonObject, parseJson } from "@remit/protocol";

/** The demo's principal, signed in at the portal: what people do there they do by its pages' own forms. */
export type Seat = {
  /** Sends a form, named by its page and action; answers where it leads, if anywhere. A refusal is thrown. */
  send(at: string, fields?: Readonly<Record<string, string>>): Promise<string | undefined>;
  /** A page as it is now. */
  read(at: string): Promise<string>;
};

export async function takeSeat({ wallet, principal }: DevFile): Promise<Seat> {
  const cookies = new Map<string, string>();
  const keep = (response: Response): Response => {
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (name !== undefined && value !== undefined) cookies.set(name, value);
    }
    return response;
  };
  const noting: typeof fetch = async (url, init) => keep(await fetch(url, init));
  const own = (): string => [...cookies].map((pair) => pair.join("=")).join("; ");
  const { email, password } = principal;
  const { arrivedAt } = await createPerson(noting).follow(`${wallet}/sign-in?to=/`, `${wallet}/`, {
    email,
    password,
    decision: "approve",
  });
  await noting(arrivedAt, { headers: { cookie: own() }, redirect: "manual" });
  return {
    send: async (at, fields = {}) => {
      const headers = { cookie: own(), origin: wallet, accept: "application/json" };
      const response = await noting(wallet + at, {
        method: "POST",
        headers,
        body: new URLSearchParams(fields),
      });
      const answer = parseJson(await response.text());
      if (!isJsonObject(answer) || (answer["type"] !== "success" && answer["type"] !== "redirect"))
        throw new Error(`the form of ${at} answered ${JSON.stringify(answer).slice(0, 300)}`);
      return leadsTo(answer);
    },
    read: async (at) =>
      (await noting(wallet + at, { headers: { cookie: own(), accept: "text/html" } })).text(),
  };
}

const leadsTo = ({ location }: JsonObject): string | undefined =>
  typeof location === "string" ? location : undefined;
