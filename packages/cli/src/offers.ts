import {
  type OffersFault,
  OffersFileRefused,
  offersFileSchema,
  readOffersFile,
} from "@remit/embedded/offers";
import { bad, good, print, printJson } from "./output.ts";

type LintWish = { readonly json?: boolean };

/** Says of an offers file what the gateway would: each fault with its line and column, and exit code 1. */
export async function lintOffers(file: string, { json }: LintWish): Promise<void> {
  const { faults, routes } = await judge(file);
  if (json === true)
    printJson({
      file,
      ok: faults.length === 0,
      routes,
      faults: faults.map(({ message, spot }) => ({ ...spot, message })),
    });
  else if (faults.length === 0) print(good(`${file}: ${routes} routes, nothing to mend`));
  else
    for (const { message, spot } of faults)
      print(`${file}:${spot === undefined ? "" : `${spot.line}:${spot.column}:`} ${bad(message)}`);
  if (faults.length > 0) process.exitCode = 1;
}

async function judge(
  file: string,
): Promise<{ readonly faults: readonly OffersFault[]; readonly routes: number }> {
  try {
    const offers = await readOffersFile(file);
    return { faults: [], routes: [...offers.values()].reduce((sum, { routes }) => sum + routes.length, 0) };
  } catch (error) {
    if (!(error instanceof OffersFileRefused)) throw error;
    return { faults: error.faults, routes: 0 };
  }
}

export const printSchema = (): void => printJson(offersFileSchema());
