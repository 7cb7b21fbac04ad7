import { WebhookBody, WebhookPage, WebhookWithSecret } from "@remit/protocol/contracts";
import { bold, faint, good, harmless, print, printJson } from "../output.ts";
import { withInstance } from "../running/index.ts";
import type { Where } from "../where.ts";
import { read, write } from "./calls.ts";

export type CreateWish = Where & {
  readonly url: string;
  readonly events: readonly string[];
  readonly name?: string;
};
export type RotateSecretWish = Where & { readonly overlapHours?: number };

const nameLengthMax = 120;

// An organization has no more webhooks than one page holds.
export const list = (options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    const page = WebhookPage.parse(await read(dev, "?limit=100"));
    if (options.json === true) return printJson(page);
    if (page.data.length === 0)
      return print("There is no webhook yet: remit webhooks create --url URL --events '*' makes one.");
    print(bold(line(["webhook", "state", "name", "events", "url"])));
    for (const webhook of page.data) {
      const { id, name, events, url } = webhook;
      print(line([id, stateOf(webhook), harmless(name), events.join(","), harmless(url)]));
    }
  });

const line = ([id = "", state = "", name = "", events = "", url = ""]: readonly string[]): string =>
  `${id.padEnd(32)}${state.padEnd(20)}${name.padEnd(24)} ${events.padEnd(24)} ${url}`.trimEnd();

function stateOf({ active, disabled_because: because, failure_count: failures }: WebhookBody): string {
  if (!active) return because === null ? "disabled" : `disabled (${because})`;
  return failures === 0 ? "active" : `active, failed ${failures}×`;
}

export const create = (options: CreateWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const { url, events, name = new URL(url).host.slice(0, nameLengthMax) } = options;
    const made = WebhookWithSecret.parse(
      await write(dev, { method: "POST", path: "", body: { name, url, events } }),
    );
    if (options.json === true) return printJson(made);
    print(good(`${made.id} is told of ${made.events.join(", ")} at ${harmless(made.url)}.`));
    printSecret(made.signingSecret);
    print(faint(`remit webhooks test ${made.id} sends it an event.`));
  });

export const rotate = (webhook: string, options: RotateSecretWish): Promise<void> =>
  withInstance(options, async (dev) => {
    const body = options.overlapHours === undefined ? {} : { overlap_hours: options.overlapHours };
    const path = `/${webhook}/rotate-secret`;
    const made = WebhookWithSecret.parse(await write(dev, { method: "POST", path, body }));
    if (options.json === true) return printJson(made);
    print(good(`${made.id} has a new secret.`));
    printSecret(made.signingSecret);
    const until = made.former_secret_until;
    print(
      until === null
        ? "The former one signs nothing any more."
        : `The former one signs as well until ${until}.`,
    );
  });

function printSecret(secret: string): void {
  print(`Its signing secret, which is not shown again: ${bold(secret)}`);
}

export const turn = (webhook: string, options: Where & { readonly active: boolean }): Promise<void> =>
  withInstance(options, async (dev) => {
    const { active } = options;
    const turned = WebhookBody.parse(
      await write(dev, { method: "PATCH", path: `/${webhook}`, body: { active } }),
    );
    if (options.json === true) return printJson(turned);
    print(good(active ? `${turned.id} is active.` : `${turned.id} is disabled; nothing new waits for it.`));
  });

export const remove = (webhook: string, options: Where): Promise<void> =>
  withInstance(options, async (dev) => {
    await write(dev, { method: "DELETE", path: `/${webhook}` });
    if (options.json === true) return printJson({ id: webhook, deleted: true });
    print(good(`${webhook} is deleted; what waited for it is not sent.`));
  });
