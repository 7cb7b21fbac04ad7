import { concatBytes, equalBytes, utf8 } from "../encoding/index.ts";
import { Problem } from "../problems.ts";

/** Files by name, as an archive holds them. */
export type ArchiveFiles = Readonly<Record<string, Uint8Array>>;

const filesMax = 64;
const bytesMax = 4 * 1024 * 1024;
const namePattern = /^[a-z0-9][a-z0-9.-]{0,63}$/;

// PKWARE APPNOTE 6.3.10, sections 4.3.7, 4.3.12 and 4.3.16: local header, central directory, its end.
const [localSignature, centralSignature, endSignature] = [0x04034b50, 0x02014b50, 0x06054b50];
const [localLength, centralLength, endLength] = [30, 46, 22];
/** Version 1.0 is enough to store. */
const version = 10;
/** Names are UTF-8 (APPNOTE 4.4.4, bit 11). */
const flags = 0x0800;
/** 1 January 1980, the first day that the format can name: the same files are the same bytes, whenever they are packed. */
const firstDay = 0x0021;

/** Packs files without compressing them, in the order of their names. The same files give the same bytes. */
export function packArchive(files: ArchiveFiles): Uint8Array {
  const names = Object.keys(files).toSorted();
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const name of names) {
    const content = files[name] ?? new Uint8Array();
    const entry = { name: utf8(name), content, crc: crc32(content), offset };
    const local = concatBytes(headerOf(entry, "local"), entry.name, content);
    parts.push(local);
    directory.push(concatBytes(headerOf(entry, "central"), entry.name));
    offset += local.length;
  }
  const central = concatBytes(...directory);
  return concatBytes(...parts, central, endOf({ count: names.length, size: central.length, offset }));
}

/**
 * The files of an archive that `packArchive` could have made, and of no other: packed again they must be the same bytes, so
 * that nothing stands between, behind or twice in it. Throws `evidence_invalid`.
 */
export function unpackArchive(bytes: Uint8Array): ArchiveFiles {
  if (bytes.length > bytesMax) throw invalid("it is too large");
  const files: Record<string, Uint8Array> = {};
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; view.byteLength >= at + localLength && view.getUint32(at, true) === localSignature; ) {
    const [size, nameLength] = [view.getUint32(at + 18, true), view.getUint16(at + 26, true)];
    const [from, until] = [at + localLength + nameLength, at + localLength + nameLength + size];
    if (until > bytes.length) throw invalid("a file in it is cut off");
    const name = String.fromCharCode(...bytes.subarray(at + localLength, from));
    if (!namePattern.test(name) || Object.hasOwn(files, name) || Object.keys(files).length === filesMax)
      throw invalid("a file in it is not named as it may be");
    files[name] = bytes.slice(from, until);
    at = until;
  }
  if (!equalBytes(packArchive(files), bytes)) throw invalid("it is not an archive as Remit packs it");
  return files;
}

type Entry = {
  readonly name: Uint8Array;
  readonly content: Uint8Array;
  readonly crc: number;
  readonly offset: number;
};

function headerOf({ name, content, crc, offset }: Entry, kind: "local" | "central"): Uint8Array {
  const central = kind === "central";
  const header = new Uint8Array(central ? centralLength : localLength);
  const view = new DataView(header.buffer);
  view.setUint32(0, central ? centralSignature : localSignature, true);
  // The directory says by which version it was made as well, and then the same fields as the file's own header.
  if (central) view.setUint16(4, version, true);
  const at = central ? 6 : 4;
  view.setUint16(at, version, true);
  view.setUint16(at + 2, flags, true);
  view.setUint16(at + 8, firstDay, true);
  view.setUint32(at + 10, crc, true);
  view.setUint32(at + 14, content.length, true);
  view.setUint32(at + 18, content.length, true);
  view.setUint16(at + 22, name.length, true);
  if (central) view.setUint32(42, offset, true);
  return header;
}

function endOf({ count, size, offset }: { count: number; size: number; offset: number }): Uint8Array {
  const end = new Uint8Array(endLength);
  const view = new DataView(end.buffer);
  view.setUint32(0, endSignature, true);
  view.setUint16(8, count, true);
  view.setUint16(10, count, true);
  view.setUint32(12, size, true);
  view.setUint32(16, offset, true);
  return end;
}

const table = Uint32Array.from({ length: 256 }, (_, index) => {
  let value = index;
  for (let bit = 0; bit < 8; bit++) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value >>> 0;
});

function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = (table[(crc ^ byte) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

const invalid = (why: string): Problem =>
  new Problem("evidence_invalid", { detail: `The archive does not hold: ${why}.` });
