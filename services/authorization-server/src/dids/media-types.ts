const forms = [
  { type: "application/did+ld+json", names: ["application/did+ld+json", "application/ld+json"] },
  { type: "application/did+json", names: ["application/did+json"] },
  { type: "application/json", names: ["application/json"] },
] as const;

/** Every form, as its media type. */
export const didTypes = ["application/did+json", "application/did+ld+json", "application/json"] as const;

export const didJson = "application/did+json";

/**
 * The form of a DID document that an Accept header names first by weight; it is the same document in each (DID Core §6).
 * Who names none gets `application/did+json`.
 */
export function didTypeFor(accept: string | undefined): string {
  const wanted = (accept ?? "")
    .split(",")
    .map((part) => {
      const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
      const weight = Number(parameters.find((text) => text.startsWith("q="))?.slice(2) ?? "1");
      return { name, weight: Number.isFinite(weight) ? weight : 0 };
    })
    .filter(({ weight }) => weight > 0)
    .sort((a, b) => b.weight - a.weight);
  for (const { name } of wanted) {
    const found = forms.find(({ names }) => names.some((one) => one === name));
    if (found !== undefined) return found.type;
  }
  return didJson;
}
