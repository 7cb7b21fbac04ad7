/** A person at the sign-in and consent pages: keeps cookies, reads forms, presses buttons. No door is opened for it. */
export type Person = {
  /** Opens the URL and answers pages until it is sent to `until`; returns that address. */
  follow(url: string, until: string, answers: Answers): Promise<Walk>;
};

export type Answers = {
  readonly email: string;
  readonly password: string;
  readonly decision: "approve" | "deny";
};

export type PageSeen = {
  readonly url: string;
  readonly status: number;
  readonly title: string;
  readonly text: string;
};
export type Walk = { readonly arrivedAt: string; readonly pages: readonly PageSeen[] };

const hopsMax = 20;

export function createPerson(fetchPage: typeof fetch = fetch): Person {
  const cookies = new Map<string, string>();
  return {
    async follow(start, until, answers) {
      const pages: PageSeen[] = [];
      let request: PageRequest = { url: start };
      for (let hop = 0; hop < hopsMax; hop++) {
        const response = await send(fetchPage, cookies, request);
        const location = response.headers.get("location");
        if (location !== null) {
          const next = new URL(location, request.url).href;
          await response.body?.cancel();
          if (next.startsWith(until)) return { arrivedAt: next, pages };
          request = { url: next };
          continue;
        }
        const html = await response.text();
        pages.push({ url: request.url, status: response.status, title: titleOf(html), text: textOf(html) });
        const form = formOf(html, request.url);
        if (form === undefined || response.status >= 400)
          throw new Error(
            `the page at ${new URL(request.url).pathname} answered ${response.status}: ${textOf(html).slice(0, 300)}`,
          );
        request = { url: form.action, form: fill(form, answers) };
      }
      throw new Error(`still not at ${until} after ${hopsMax} pages`);
    },
  };
}

type PageRequest = { readonly url: string; readonly form?: URLSearchParams };

async function send(
  fetchPage: typeof fetch,
  cookies: Map<string, string>,
  request: PageRequest,
): Promise<Response> {
  const headers = new Headers({ accept: "text/html" });
  if (cookies.size > 0)
    headers.set("cookie", [...cookies].map(([name, value]) => `${name}=${value}`).join("; "));
  if (request.form !== undefined) headers.set("origin", new URL(request.url).origin);
  const response = await fetchPage(request.url, {
    method: request.form === undefined ? "GET" : "POST",
    headers,
    redirect: "manual",
    ...(request.form === undefined ? {} : { body: request.form }),
  });
  for (const line of response.headers.getSetCookie()) {
    const [pair = ""] = line.split(";");
    const at = pair.indexOf("=");
    const [name, value] = [pair.slice(0, at).trim(), pair.slice(at + 1).trim()];
    if (value === "" || /;\s*max-age=0/i.test(line)) cookies.delete(name);
    else cookies.set(name, value);
  }
  return response;
}

type Form = {
  readonly action: string;
  readonly fields: ReadonlyMap<string, string>;
  readonly buttons: readonly Button[];
};
type Button = { readonly name: string; readonly value: string };

function formOf(html: string, base: string): Form | undefined {
  const found = /<form\b([^>]*)>([\s\S]*?)<\/form>/i.exec(html);
  if (found === null) return undefined;
  const [, head = "", body = ""] = found;
  const inputs = [...body.matchAll(/<input\b([^>]*)>/gi)].map(([, attributes = ""]) => attributes);
  const fields = new Map(
    inputs.flatMap((attributes): [string, string][] => {
      const name = attribute(attributes, "name");
      return name === undefined ? [] : [[name, attribute(attributes, "value") ?? ""]];
    }),
  );
  const buttons = [...body.matchAll(/<button\b([^>]*)>/gi)].flatMap(([, attributes = ""]) => {
    const name = attribute(attributes, "name");
    return name === undefined ? [] : [{ name, value: attribute(attributes, "value") ?? "" }];
  });
  return { action: new URL(attribute(head, "action") ?? base, base).href, fields, buttons };
}

function fill(form: Form, answers: Answers): URLSearchParams {
  const filled = new URLSearchParams([...form.fields]);
  if (form.fields.has("email")) filled.set("email", answers.email);
  if (form.fields.has("password")) filled.set("password", answers.password);
  const button = form.buttons.find(({ value }) => value === answers.decision);
  if (button !== undefined) filled.set(button.name, button.value);
  return filled;
}

const attribute = (attributes: string, name: string): string | undefined => {
  const found = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`, "i").exec(attributes);
  return found === null ? undefined : unescape(found[1] ?? found[2] ?? "");
};

const entities: Readonly<Record<string, string>> = {
  amp: "&",
  lt: "<",
  gt: ">",
  quot: '"',
  apos: "'",
  nbsp: " ",
};

const unescape = (text: string): string =>
  text
    .replace(/&#x([0-9a-f]+);/gi, (_, hex: string) => String.fromCodePoint(Number.parseInt(hex, 16)))
    .replace(/&#(\d+);/g, (_, decimal: string) => String.fromCodePoint(Number(decimal)))
    .replace(/&([a-z]+);/gi, (whole, name: string) => entities[name] ?? whole);

const titleOf = (html: string): string => unescape(/<title>([^<]*)<\/title>/i.exec(html)?.[1] ?? "").trim();

/** The words of a page, as somebody reads them. */
function textOf(html: string): string {
  const body = /<body\b[^>]*>([\s\S]*)<\/body>/i.exec(html)?.[1] ?? html;
  const words = body.replace(/<(style|script|svg|head)\b[\s\S]*?<\/\1>/gi, " ").replace(/<[^>]+>/g, " ");
  return unescape(words).replace(/\s+/g, " ").trim();
}
