type Way = { readonly method: string; readonly intent: string };
type Range = { readonly method: string; readonly intent: string; readonly weight: number };

const rangesMax = 20;

/**
 * The challenges that `Accept-Payment` asks for, the most wanted first (draft-httpauth-payment: `stripe/charge;q=0.5`,
 * `*`/charge). All of them when it is absent or wants none of them: a buyer may still find a way.
 */
export function acceptable<C extends Way>(
  challenges: readonly C[],
  accept: string | undefined,
): readonly C[] {
  const ranges = (accept ?? "").split(",", rangesMax).flatMap(rangeOf);
  if (ranges.length === 0) return challenges;
  const weighed = challenges
    .map((challenge) => ({ challenge, weight: weightOf(ranges, challenge) }))
    .filter(({ weight }) => weight > 0);
  if (weighed.length === 0) return challenges;
  return weighed.sort((a, b) => b.weight - a.weight).map(({ challenge }) => challenge);
}

function rangeOf(text: string): Range[] {
  const [range = "", ...parameters] = text.split(";").map((part) => part.trim());
  const match = /^([a-z0-9-]+|\*)\/([a-z0-9-]+|\*)$/i.exec(range);
  if (match === null) return [];
  const quality = parameters.find((parameter) => /^q=/i.test(parameter))?.slice(2);
  const weight = quality === undefined ? 1 : Number(quality);
  if (!(weight >= 0 && weight <= 1)) return [];
  return [{ method: match[1]?.toLowerCase() ?? "*", intent: match[2]?.toLowerCase() ?? "*", weight }];
}

/** The weight of the most exact range that fits (as RFC 9110 §12.5.1 has it for media types). */
function weightOf(ranges: readonly Range[], { method, intent }: Way): number {
  const exactness = (range: Range): number => (range.method === "*" ? 0 : 2) + (range.intent === "*" ? 0 : 1);
  const fitting = ranges
    .filter((range) => range.method === "*" || range.method === method)
    .filter((range) => range.intent === "*" || range.intent === intent)
    .sort((a, b) => exactness(b) - exactness(a));
  return fitting[0]?.weight ?? 0;
}
