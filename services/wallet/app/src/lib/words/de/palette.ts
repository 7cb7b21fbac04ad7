import type { Palette } from "../en/palette.ts";

export const palette: Palette = {
  palette: {
    open: "Suchen",
    title: "Alles finden und tun",
    hint: "Eine Seite, ein Name, eine Kennung",
    found: "Gefunden",
    actions: "Tun",
    pages: "Gehen zu",
    reversible: "Jederzeit wieder aufzuheben",
    searching: "Wird gesucht",
    none: (typed: string) => `Nichts heißt „${typed}“. Eine Kennung wird gefunden, wenn sie ganz dasteht.`,
    count: (count: string) => `${count} zur Auswahl`,
    keys: "↑ ↓ wählen · Enter öffnet · Esc schließt",
    kinds: {
      agent: "Agent",
      mandate: "Mandat",
      charge: "Kauf",
      merchant: "Händler",
      approval: "Freigabe",
      offer: "Angebot",
      webhook: "Webhook",
      entry: "Protokolleintrag",
      request: "Anfrage",
      dispute: "Einspruch",
      shop: "Laden",
    },
  },
};
