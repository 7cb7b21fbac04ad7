/** Every kind of id and its prefix. A new kind is one line here. */
export const idPrefixes = {
  account: "acc",
  admission: "adm",
  agent: "agt",
  approval: "apv",
  attempt: "att",
  audit: "aud",
  case: "cse",
  challenge: "chl",
  charge: "chg",
  checkout: "cko",
  checkpoint: "ckp",
  claim: "clm",
  client: "cli",
  credential: "crd",
  decision: "dec",
  delegation: "dlg",
  delivery: "whd",
  destination: "dst",
  device: "dvc",
  dispute: "dsp",
  entry: "ent",
  event: "evt",
  family: "fam",
  grant: "grn",
  identity: "idn",
  instrument: "ins",
  invitation: "ivt",
  invoice: "inv",
  job: "job",
  key: "key",
  mandate: "mnd",
  merchant: "mrc",
  offer: "off",
  partner: "ptn",
  payment: "pay",
  payout: "pyt",
  plan: "pln",
  policy: "pol",
  posting: "pst",
  presentation: "prs",
  tab: "tab",
  provider: "idp",
  receipt: "rcp",
  refund: "rfd",
  request: "req",
  route: "rte",
  schedule: "fsc",
  session: "ses",
  settlement: "stl",
  setup: "stp",
  signal: "sig",
  stream: "stm",
  tenant: "org",
  transfer: "trf",
  trust: "tru",
  webhook: "whe",
} as const;

export type IdKind = keyof typeof idPrefixes;

declare const kind: unique symbol;

/** `mnd_01j…`: a prefix for its kind and a UUIDv7 (RFC 9562 §5.7) in 26 characters of Crockford base 32. */
export type Id<K extends IdKind = IdKind> = string & { readonly [kind]: K };

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";
const bodyPattern = /^[0-7][0-9a-hjkmnp-tv-z]{25}$/;
const lengthOfBody = 26;

const bytesOfId = 16;
/** Random bytes for many ids, fetched at once. */
const pool = new Uint8Array(256 * bytesOfId);
let taken = pool.length;

// RFC 9562 §6.2, method 1: 12 bits count within a millisecond, from a random start that leaves room for 2,048.
let lastMs = 0;
let count = 0;

/**
 * Mints an id. The order of ids follows time to the millisecond, and within one the order in which this process minted
 * them: what one transaction records is read back as it happened. The rest is 62 random bits.
 */
export function newId<K extends IdKind>(of: K): Id<K> {
  if (taken === pool.length) {
    crypto.getRandomValues(pool);
    taken = 0;
  }
  const bytes = pool.subarray(taken, taken + bytesOfId);
  taken += bytesOfId;
  const ms = Date.now();
  // By division: a number of milliseconds has more bits than a shift can take.
  for (let i = 0; i < 6; i++) bytes[i] = Math.floor(ms / 2 ** (8 * (5 - i))) & 255;
  count = ms === lastMs ? (count + 1) & 0xfff : (((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0)) & 0x7ff;
  lastMs = ms;
  bytes[6] = 0x70 | (count >> 8);
  bytes[7] = count & 0xff;
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return `${idPrefixes[of]}_${base32(bytes)}` as Id<K>;
}

/** The id when the text is one of that kind, else undefined. */
export function parseId<K extends IdKind>(of: K, text: unknown): Id<K> | undefined {
  if (typeof text !== "string") return undefined;
  const prefix = `${idPrefixes[of]}_`;
  const valid = text.startsWith(prefix) && text.length === prefix.length + lengthOfBody;
  return valid && bodyPattern.test(text.slice(prefix.length)) ? (text as Id<K>) : undefined;
}

/** The pattern of an id of that kind, for JSON Schema. */
export const idPattern = (of: IdKind): string => `^${idPrefixes[of]}_[0-7][0-9a-hjkmnp-tv-z]{25}$`;

/** 128 bits in 26 characters of 5: two zero bits come first. */
function base32(bytes: Uint8Array): string {
  let text = "";
  let value = 0;
  let bits = 2;
  for (const byte of bytes) {
    value = (value << 8) | byte;
    for (bits += 8; bits >= 5; ) {
      bits -= 5;
      text += alphabet.charAt(value >> bits);
      value &= (1 << bits) - 1;
    }
  }
  return text;
}
