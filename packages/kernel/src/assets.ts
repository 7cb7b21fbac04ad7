/** What money is counted in. `code` is unique (`USD`, `USDC_BASE`), `places` says how many decimals a unit has. */
export type Asset = {
  readonly code: string;
  readonly places: number;
  readonly kind: "fiat" | "token";
  /** CAIP-19 of a token on a chain. */
  readonly caip19?: string;
  /** The fiat currency a token is pegged to. */
  readonly peg?: string;
};

// ISO 4217 (amendment 179): alphabetic codes with a minor unit, grouped by its number of places.
const fiatByPlaces: Readonly<Record<number, string>> = {
  0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
  2: "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER ZAR ZMW ZWG",
  3: "BHD IQD JOD KWD LYD OMR TND",
  4: "CLF UYW",
};

const fiat: readonly Asset[] = Object.entries(fiatByPlaces).flatMap(([places, codes]) =>
  codes.split(" ").map((code): Asset => ({ code, places: Number(places), kind: "fiat" })),
);

const usdc = (code: string, chain: number, address: string): Asset => ({
  code,
  places: 6,
  kind: "token",
  caip19: `eip155:${chain}/erc20:${address}`,
  peg: "USD",
});

const tokens: readonly Asset[] = [
  usdc("USDC_BASE", 8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913"),
  usdc("USDC_BASE_SEPOLIA", 84532, "0x036CbD53842c5426634e7929541eC2318f3dCF7e"),
];

const byCode: ReadonlyMap<string, Asset> = new Map([...fiat, ...tokens].map((asset) => [asset.code, asset]));
const byCaip19: ReadonlyMap<string, Asset> = new Map(
  tokens.map((asset) => [(asset.caip19 ?? "").toLowerCase(), asset]),
);

/** Every asset Remit knows. */
export const assets: readonly Asset[] = [...byCode.values()];

/** The asset of an ISO 4217 code (upper case) or of a token's code; undefined when unknown. */
export const assetOf = (code: string): Asset | undefined => byCode.get(code);

/** The token of a CAIP-19 id, in any letter case. */
export const assetOfCaip19 = (id: string): Asset | undefined => byCaip19.get(id.toLowerCase());
