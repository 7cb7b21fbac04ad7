/** Whole units of 10^-places nearest to a decimal; a half goes up. The text has the form the contract demands. */
export function unitsNearest(decimal: string, places: number): bigint {
  const [whole = "0", fraction = ""] = decimal.split(".");
  const kept = BigInt(whole + fraction.slice(0, places).padEnd(places, "0"));
  return (fraction[places] ?? "0") >= "5" ? kept + 1n : kept;
}

/** True when the decimal has a part that so many places cannot express. */
export const isFiner = (decimal: string, places: number): boolean =>
  /[1-9]/.test((decimal.split(".")[1] ?? "").slice(places));

/** A decimal of so many places at most, nearest to the one given. */
export function decimalNearest(decimal: string, places: number): string {
  const units = unitsNearest(decimal, places)
    .toString()
    .padStart(places + 1, "0");
  const [whole, fraction] = [units.slice(0, units.length - places), units.slice(units.length - places)];
  return `${whole}.${fraction}`.replace(/\.?0*$/, "");
}
