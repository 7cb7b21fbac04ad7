import { assetOf, money, toDecimal } from "@remit/kernel";

/** Money and time as the viewer writes them. */
export type Format = {
  /** Exact: whole minor units, every place shown, nothing rounded. */
  money(minor: number, currency: string): string;
  /** Without the sign of the currency, for columns that name it once. */
  figure(minor: number, currency: string): string;
  day(at: string): string;
  time(at: string): string;
  dayAndTime(at: string): string;
  /** To the second with its zone, for whoever wants to know. */
  exactly(at: string): string;
  /** "in 3 days", "2 hours ago". */
  from(at: string, nowMs: number): string;
  number(value: number): string;
  list(texts: readonly string[]): string;
};

const known = new Map<string, Format>();

// Each holds some 100 kB. There are more zones than anybody is in: `+01:23` is one, and a cookie names it.
const keptMax = 200;

/** Kept: a page makes none of its own, which would cost it more than all its words. Those that were used last are kept. */
export function formatIn(locale: string, zone: string): Format {
  const name = `${locale} ${zone}`;
  const format = known.get(name) ?? makeFormat(locale, zone);
  known.delete(name);
  known.set(name, format);
  const [oldest] = known.keys();
  if (known.size > keptMax && oldest !== undefined) known.delete(oldest);
  return format;
}

function makeFormat(locale: string, zone: string): Format {
  const dates = (options: Intl.DateTimeFormatOptions) => {
    const format = new Intl.DateTimeFormat(locale, { timeZone: zone, ...options });
    return (at: string) => format.format(Date.parse(at));
  };
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  const list = new Intl.ListFormat(locale, { type: "disjunction" });
  const inCurrency = (minor: number, currency: string, style: "currency" | "decimal"): string => {
    const asset = assetOf(currency);
    if (asset === undefined) return `${minor} ${currency}`;
    const places = { minimumFractionDigits: asset.places, maximumFractionDigits: asset.places };
    const text = toDecimal(money(asset, BigInt(minor)));
    // A token has no sign, and a name that ECMA-402 takes for no currency.
    if (asset.kind === "token" && style === "currency")
      return `${inCurrency(minor, currency, "decimal")} ${currency}`;
    // ECMA-402 takes a decimal as text without going through a double; the types know it by another name.
    return numberFormat(locale, style === "currency" ? { style, currency, ...places } : places).format(
      text as unknown as number,
    );
  };
  return {
    money: (minor, currency) => inCurrency(minor, currency, "currency"),
    figure: (minor, currency) => inCurrency(minor, currency, "decimal"),
    day: dates({ day: "numeric", month: "short", year: "numeric" }),
    time: dates({ hour: "2-digit", minute: "2-digit" }),
    dayAndTime: dates({ day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" }),
    exactly: dates({ dateStyle: "full", timeStyle: "long" }),
    from: (at, nowMs) => {
      const seconds = (Date.parse(at) - nowMs) / 1000;
      const [, unit] = steps.find(([below]) => Math.abs(seconds) < below) ?? lastStep;
      return relative.format(Math.round(seconds / unitSeconds[unit]), unit);
    },
    number: (value) => numberFormat(locale, {}).format(value),
    list: (texts) => list.format(texts),
  };
}

type Unit = "second" | "minute" | "hour" | "day" | "month";
const unitSeconds: Readonly<Record<Unit, number>> = {
  second: 1,
  minute: 60,
  hour: 3600,
  day: 86_400,
  month: 2_592_000,
};
const lastStep: readonly [number, Unit] = [Number.POSITIVE_INFINITY, "month"];
const steps: readonly (readonly [number, Unit])[] = [
  [90, "second"],
  [5_400, "minute"],
  [129_600, "hour"],
  [5_184_000, "day"],
  lastStep,
];

const formats = new Map<string, Intl.NumberFormat>();

/** Making one costs more than using it a hundred times. */
function numberFormat(locale: string, options: Intl.NumberFormatOptions): Intl.NumberFormat {
  const name = `${locale} ${JSON.stringify(options)}`;
  const known = formats.get(name) ?? new Intl.NumberFormat(locale, options);
  formats.set(name, known);
  return known;
}
