import { invariant } from "@remit/kernel";

/** The states of a mandate in its Token Status List (§7.1), two bits each. */
export const statuses = { valid: 0, invalid: 1, suspended: 2 } as const;
export type Status = keyof typeof statuses;

export type StatusBits = 1 | 2 | 4 | 8;

/** The fewest entries of a StatusList2021, so that one of them points at nobody (§ "herd privacy"): 16 KiB of bits. */
export const statusList2021EntriesMin = 131_072;

export const bytesForStatuses = (entries: number, bits: StatusBits): number =>
  Math.ceil((entries * bits) / 8);

/** Token Status List §4.1: the lowest bits of a byte are its first entry. Undefined beyond the list. */
export function statusAt(list: Uint8Array, bits: StatusBits, index: number): number | undefined {
  const perByte = 8 / bits;
  const byte = isIndex(index) ? list[Math.floor(index / perByte)] : undefined;
  return byte === undefined ? undefined : (byte >> ((index % perByte) * bits)) & ((1 << bits) - 1);
}

/** Writes one entry in place. */
export function setStatus(list: Uint8Array, bits: StatusBits, entry: { index: number; value: number }): void {
  const { index, value } = entry;
  const perByte = 8 / bits;
  const at = Math.floor(index / perByte);
  const mask = (1 << bits) - 1;
  invariant(isIndex(index) && at < list.length, "a status stands within its list");
  invariant(Number.isInteger(value) && value >= 0 && value <= mask, "a status fits its bits");
  const shift = (index % perByte) * bits;
  list[at] = ((list[at] ?? 0) & ~(mask << shift)) | (value << shift);
}

/** StatusList2021 §3: one bit an entry, the highest bit of a byte first. Undefined beyond the list. */
export function bitAt(list: Uint8Array, index: number): boolean | undefined {
  const byte = isIndex(index) ? list[index >> 3] : undefined;
  return byte === undefined ? undefined : ((byte >> (7 - (index & 7))) & 1) === 1;
}

/** Writes one bit in place. */
export function setBit(list: Uint8Array, index: number, on: boolean): void {
  invariant(isIndex(index) && index >> 3 < list.length, "a bit stands within its list");
  const mask = 0x80 >> (index & 7);
  const byte = list[index >> 3] ?? 0;
  list[index >> 3] = on ? byte | mask : byte & ~mask;
}

/** The bits of a StatusList2021 in which the entries with this status are set. */
export function bitsOfStatus(list: Uint8Array, status: Status): Uint8Array {
  const entries = Math.max(list.length * 4, statusList2021EntriesMin);
  const bits = new Uint8Array(bytesForStatuses(entries, 1));
  for (let index = 0; index < list.length * 4; index++)
    if (statusAt(list, 2, index) === statuses[status]) setBit(bits, index, true);
  return bits;
}

const isIndex = (index: number): boolean => Number.isSafeInteger(index) && index >= 0 && index < 2 ** 31;
