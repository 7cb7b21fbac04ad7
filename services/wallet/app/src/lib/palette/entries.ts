import { consolePlaces, merchantPlaces } from "#lib/console/places.ts";
import type { ConsoleWords } from "#lib/words/console/index.ts";
import type { Words } from "#lib/words/index.ts";

/** One line of the palette: where it leads, or the form that it sends. */
export type Entry = {
  readonly name: string;
  readonly detail: string;
  readonly href: string;
  /** It is sent, not opened: it does something. */
  readonly sends?: boolean;
};

type Given = {
  readonly words: Words;
  readonly own: ConsoleWords;
  readonly organizations: readonly { readonly id: string; readonly name: string }[];
};

/** What can be done from anywhere. The brake is a word away, and never what Enter does unasked. */
export function actionsOf({ words, own, organizations: [first] }: Given): readonly Entry[] {
  const done = (name: string, href: string, detail = ""): Entry => ({ name, detail, href });
  return [
    done(words.mandates.give, "/mandates/new"),
    done(words.setup.title, "/agents/new"),
    ...(first === undefined
      ? []
      : [done(own.agents.register, `/console/${first.id}/agents/new`, first.name)]),
    {
      name: words.agents.freezeAll,
      detail: words.palette.reversible,
      href: "/agents?/freezeAll",
      sends: true,
    },
    { name: words.app.signOut, detail: "", href: "/sign-out", sends: true },
  ];
}

/** Every place of the wallet, and of each organization. */
export function placesFor({ words, own, organizations }: Given): readonly Entry[] {
  const { nav } = words;
  const wallet: readonly (readonly [string, string])[] = [
    ["/", nav.home],
    ["/approvals", nav.approvals],
    ["/mandates", nav.mandates],
    ["/activity", nav.activity],
    ["/agents", nav.agents],
    ["/rules", nav.rules],
    ["/payment-methods", nav.money],
    ["/security", nav.security],
    ["/notifications", words.notices.title],
    ["/privacy", words.privacy.title],
  ];
  const named = { console: own.nav.other.merchant, merchant: own.nav.other.console };
  const sides = { console: consolePlaces, merchant: merchantPlaces };
  return [
    ...wallet.map(([href, name]) => ({ name, detail: "", href })),
    ...organizations.flatMap(({ id, name: organization }) =>
      (["console", "merchant"] as const).flatMap((side) =>
        Object.values(sides[side])
          .flat()
          .map((place) => ({
            name: own.nav.places[side][place] ?? place,
            detail: `${named[side]} · ${organization}`,
            href: place === "" ? `/${side}/${id}` : `/${side}/${id}/${place}`,
          })),
      ),
    ),
  ];
}
