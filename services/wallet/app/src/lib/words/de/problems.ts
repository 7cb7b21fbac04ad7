import type { Problems } from "../en/problems.ts";

export const problems: Problems = {
  problem: {
    title: "Diese Seite kann nicht gezeigt werden",
    notFound: "Eine solche Seite gibt es nicht",
    back: "Zurück zum Anfang",
    unreached:
      "Für diese Seite kam keine Antwort. Sehen Sie nach, ob dieses Gerät verbunden ist, und laden Sie sie neu.",
    again: "Neu laden",
  },
};
