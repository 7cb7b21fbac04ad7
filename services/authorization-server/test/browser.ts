/** A browser as far as sign-in needs one: cookies with their paths, forms, redirects followed by hand. */
export type Page = {
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly html: string;
};

type Cookie = { readonly value: string; readonly path: string };

export class Browser {
  readonly #cookies = new Map<string, Cookie>();
  readonly #always: Readonly<Record<string, string>>;

  /** `always`: headers of every request, such as what an ingress adds. */
  constructor(always: Readonly<Record<string, string>> = {}) {
    this.#always = always;
  }

  /** The value of a cookie, by its name. */
  cookie(name: string): string | undefined {
    return [...this.#cookies].find(([key]) => key.startsWith(`${name}|`))?.[1].value;
  }

  /** A signed cookie that somebody else put here. */
  plant(name: string, value: string, signature: string): void {
    this.#cookies.set(`${name}|/`, { value, path: "/" });
    this.#cookies.set(`${name}.sig|/`, { value: signature, path: "/" });
  }

  #cookieHeader(url: URL): string {
    return [...this.#cookies]
      .filter(([, { path }]) => url.pathname.startsWith(path))
      .map(([key, { value }]) => `${key.split("|")[0]}=${value}`)
      .join("; ");
  }

  #keep(lines: readonly string[]): void {
    for (const line of lines) {
      const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
      const [name, value] = [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
      const path = attributes.find((text) => /^path=/i.test(text))?.slice(5) ?? "/";
      if (attributes.some((text) => /^expires=Thu, 01 Jan 1970/i.test(text)))
        this.#cookies.delete(`${name}|${path}`);
      else this.#cookies.set(`${name}|${path}`, { value, path });
    }
  }

  /** One request, no redirect followed. */
  async send(
    url: string,
    form?: Record<string, string>,
    headers: Record<string, string> = {},
  ): Promise<Response> {
    const cookie = this.#cookieHeader(new URL(url));
    const origin = form === undefined ? {} : { origin: new URL(url).origin, "sec-fetch-site": "same-origin" };
    const response = await fetch(url, {
      method: form === undefined ? "GET" : "POST",
      redirect: "manual",
      headers: {
        accept: "text/html",
        ...this.#always,
        ...(cookie === "" ? {} : { cookie }),
        ...origin,
        ...headers,
      },
      ...(form === undefined ? {} : { body: new URLSearchParams(form) }),
    });
    this.#keep(response.headers.getSetCookie());
    return response;
  }

  /** Follows redirects until a page, or until the address starts with `until`. */
  async open(url: string, until: string, form?: Record<string, string>): Promise<Page> {
    let response = await this.send(url, form);
    let at = url;
    for (let hop = 0; hop < 10; hop++) {
      const location = response.headers.get("location");
      if (location === null)
        return { url: at, status: response.status, headers: response.headers, html: await response.text() };
      at = new URL(location, at).href;
      if (at.startsWith(until)) return { url: at, status: 302, headers: response.headers, html: "" };
      response = await this.send(at);
    }
    throw new Error("redirects without end");
  }
}

const attribute = (tag: string, name: string): string => new RegExp(`${name}="([^"]*)"`).exec(tag)?.[1] ?? "";

export type PageForm = { readonly action: string; readonly fields: Record<string, string> };

const formIn = (page: Page, html: string): PageForm => {
  const head = /<form[^>]*>/.exec(html)?.[0] ?? "";
  const inputs = [...html.matchAll(/<input[^>]*>/g)].map(([tag]) => tag);
  const fields = inputs.map((tag) => [attribute(tag, "name"), attribute(tag, "value")]);
  return { action: new URL(attribute(head, "action"), page.url).href, fields: Object.fromEntries(fields) };
};

/** The first form of a page: where it goes and what it holds already. */
export const formOf = (page: Page): PageForm =>
  formIn(page, /<form[\s\S]*?<\/form>/.exec(page.html)?.[0] ?? "");

/** The form that goes to an address with this ending. */
export function formTo(page: Page, ending: string): PageForm {
  const forms = [...page.html.matchAll(/<form[\s\S]*?<\/form>/g)].map(([html]) => formIn(page, html));
  const found = forms.find(({ action }) => action.endsWith(ending));
  if (found === undefined) throw new Error(`no form to ${ending} in ${page.html}`);
  return found;
}
