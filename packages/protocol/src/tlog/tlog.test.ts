import { describe, expect, test } from "vitest";
import { base64, base64url, utf8 } from "../encoding/index.ts";
import { holds, sha256 } from "../node/index.ts";
import {
  checkpointText,
  consistencyRanges,
  edgeOf,
  growingTree,
  hashesAt,
  hashOfRange,
  inclusionRanges,
  isConsistent,
  isIncluded,
  type LeafRange,
  noteVerifierKey,
  parseCheckpointText,
  parseNote,
  parseTilePath,
  rootOf,
  signedNote,
  type TileSource,
  tilePath,
  tileWidth,
} from "./index.ts";

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString("hex");
const leafOf = (data: Uint8Array): Uint8Array => sha256(Buffer.concat([Uint8Array.of(0), data]));
const leavesOf = (count: number): Uint8Array[] =>
  Array.from({ length: count }, (_, at) => leafOf(utf8(`leaf ${at}`)));

/** RFC 6962 §2.1 as it is written there, by recursion. */
function recursive(leaves: readonly Uint8Array[]): Uint8Array {
  const [first] = leaves;
  if (first === undefined) return sha256("");
  if (leaves.length === 1) return first;
  let k = 1;
  while (k * 2 < leaves.length) k *= 2;
  const sides = [recursive(leaves.slice(0, k)), recursive(leaves.slice(k))];
  return sha256(Buffer.concat([Uint8Array.of(1), ...sides]));
}

const within = (leaves: readonly Uint8Array[], ranges: readonly LeafRange[]): Uint8Array[] =>
  ranges.map(({ start, end }) => recursive(leaves.slice(start, end)));

describe("the tree", () => {
  // Of the Certificate Transparency project: eight entries and the roots over the first one, two, three …
  const entries = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657"].concat(
    "606162636465666768696a6b6c6d6e6f",
  );
  const roots = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
  ];

  test("has the roots of Certificate Transparency's own vectors, grown leaf by leaf", () => {
    const tree = growingTree(sha256);
    const found = [hex(tree.root())];
    for (const entry of entries) {
      tree.append(leafOf(Buffer.from(entry, "hex")));
      found.push(hex(tree.root()));
    }
    expect(found).toEqual(roots);
  });

  test("goes on from its right edge as if it had never stopped", () => {
    const leaves = leavesOf(100);
    for (let at = 0; at <= 70; at++) {
      const tree = growingTree(sha256, { size: at, edge: within(leaves, edgeOf(at)) });
      expect(hex(tree.root())).toBe(hex(recursive(leaves.slice(0, at))));
      for (const leaf of leaves.slice(at)) tree.append(leaf);
      expect(hex(tree.root())).toBe(hex(recursive(leaves)));
    }
    expect(() => growingTree(sha256, { size: 3, edge: leaves.slice(0, 1) })).toThrow("right edge");
  });
});

describe("proofs", () => {
  const leaves = leavesOf(40);
  const fail = (): never => {
    throw new Error("there is such a leaf");
  };
  const inclusion = (index: number, size: number) => ({
    index,
    size,
    leaf: leaves[index] ?? fail(),
    root: recursive(leaves.slice(0, size)),
    hashes: within(leaves.slice(0, size), inclusionRanges(index, size)),
  });
  const consistency = (first: number, second: number) => ({
    first: { size: first, root: recursive(leaves.slice(0, first)) },
    second: { size: second, root: recursive(leaves.slice(0, second)) },
    hashes: within(leaves.slice(0, second), consistencyRanges(first, second)),
  });

  test("of every leaf in every tree hold, and of no other leaf, index or size", () => {
    for (let size = 1; size <= 33; size++)
      for (let index = 0; index < size; index++) {
        const proof = inclusion(index, size);
        expect(isIncluded(sha256, proof)).toBe(true);
        const other = leaves[index + 1] ?? fail();
        expect(isIncluded(sha256, { ...proof, leaf: other })).toBe(false);
        expect(isIncluded(sha256, { ...proof, hashes: [...proof.hashes, other] })).toBe(false);
        expect(isIncluded(sha256, { ...proof, index: index + size })).toBe(false);
        if (size === 1) continue;
        expect(isIncluded(sha256, { ...proof, hashes: proof.hashes.slice(1) })).toBe(false);
        expect(isIncluded(sha256, { ...proof, index: (index + 1) % size })).toBe(false);
        expect(isIncluded(sha256, { ...proof, root: other })).toBe(false);
      }
  });

  test("that a tree began as a smaller one hold, and not for another root, size or history", () => {
    const forged = [...leaves];
    forged[0] = leaves[1] ?? fail();
    for (let second = 1; second <= 33; second++)
      for (let first = 1; first <= second; first++) {
        const proof = consistency(first, second);
        expect(isConsistent(sha256, proof)).toBe(true);
        const rewritten = { size: first, root: recursive(forged.slice(0, first)) };
        expect(isConsistent(sha256, { ...proof, first: rewritten })).toBe(false);
        expect(isConsistent(sha256, { ...proof, second: { ...proof.second, root: rewritten.root } })).toBe(
          false,
        );
        expect(isConsistent(sha256, { ...proof, hashes: [...proof.hashes, rewritten.root] })).toBe(false);
        if (first === second) continue;
        expect(isConsistent(sha256, { ...proof, hashes: proof.hashes.slice(1) })).toBe(false);
        expect(isConsistent(sha256, { ...proof, second: proof.first, first: proof.second })).toBe(false);
      }
  });

  test.each([-1, 0.5, Number.NaN, 2 ** 53])("of a place %s, which is none, do not hold", (index) => {
    expect(isIncluded(sha256, { ...inclusion(0, 5), index })).toBe(false);
    expect(isConsistent(sha256, { ...consistency(2, 5), first: { size: index, root: sha256("") } })).toBe(
      false,
    );
  });
});

describe("tiles", () => {
  test.each([
    [{ level: 0, index: 0, width: 256 }, "0/000"],
    [{ level: 0, index: 1234067, width: 256 }, "0/x001/x234/067"],
    [{ level: 1, index: 67, width: 5 }, "1/067.p/5"],
    [{ level: 2, index: 1000, width: 255 }, "2/x001/000.p/255"],
  ])("%j is at %s and nowhere else", (tile, path) => {
    expect(tilePath(tile)).toBe(path);
    const [level = "", ...rest] = path.split("/");
    expect(parseTilePath(level, rest.join("/"))).toEqual(tile);
  });

  test.each([
    ["0", "0"],
    ["0", "00"],
    ["0", "0000"],
    ["0", "x000/000"],
    ["0", "001/000"],
    ["0", "x001"],
    ["00", "000"],
    ["9", "000"],
    ["-1", "000"],
    ["0", "000.p/0"],
    ["0", "000.p/256"],
    ["0", "000.p/01"],
    ["0", "000.p"],
    ["0", "../000"],
  ])("there is none at %s/%s", (level, path) => {
    expect(parseTilePath(level, path)).toBeUndefined();
  });

  test("give the root over any range, of which level each hash was kept", async () => {
    const leaves = leavesOf(70_000);
    const first = Array.from({ length: hashesAt(1, leaves.length) }, (_, at) =>
      rootOf(sha256, leaves.slice(at * tileWidth, (at + 1) * tileWidth)),
    );
    const kept = [leaves, first, [rootOf(sha256, first.slice(0, tileWidth))]];
    const source: TileSource = async (level, from, count) => {
      const hashes = kept[level]?.slice(from, from + count) ?? [];
      if (hashes.length !== count) throw new Error(`level ${level} has no ${from} to ${from + count}`);
      return hashes;
    };
    expect(kept.map(({ length }) => length)).toEqual([70_000, 273, 1]);
    const root = recursive(leaves);
    expect(hex(await hashOfRange(sha256, source, { start: 0, end: 70_000 }))).toBe(hex(root));
    for (const index of [0, 255, 256, 65_535, 65_536, 69_999]) {
      const hashes = await Promise.all(
        inclusionRanges(index, 70_000).map((range) => hashOfRange(sha256, source, range)),
      );
      const leaf = leaves[index];
      expect(leaf && isIncluded(sha256, { index, size: 70_000, leaf, root, hashes })).toBe(true);
    }
  });
});

describe("notes", () => {
  // Of golang.org/x/mod/sumdb/note, which the format comes from.
  const key = "ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
  const x = base64url.encode((base64.decode(key) ?? Uint8Array.of()).slice(1));
  const jwk = { kty: "OKP", crv: "Ed25519", x } as const;
  const text =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
  const line =
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

  test("of another maker are read, and their key named as it names it", () => {
    expect(noteVerifierKey(sha256, { name: "PeterNeumann", jwk })).toBe(`PeterNeumann+c74f20a3+${key}`);
    const note = parseNote(`${text}\n${line}`);
    const [
      { name, id, signature } = {
        name: "",
        id: Uint8Array.of(),
        signature: Uint8Array.of(),
      },
    ] = note?.signatures ?? [];
    expect(note?.text).toBe(text);
    expect(name).toBe("PeterNeumann");
    expect(hex(id)).toBe("c74f20a3");
    const over = (data: string): boolean =>
      holds({ alg: "EdDSA", key: jwk, data: utf8(data), signature, refuse: "audit_checkpoint_invalid" });
    expect([over(text), over(`${text}.`)]).toEqual([true, false]);
  });

  test("are written as they are read", () => {
    const checkpoint = { origin: "as.example/audit/ten_1", size: 20_852_163, root: sha256("") };
    const written = signedNote(checkpointText(checkpoint), checkpoint.origin, new Uint8Array(68).fill(7));
    expect(written).toMatch(
      /^as\.example\/audit\/ten_1\n20852163\n[A-Za-z0-9+/]{43}=\n\n— as\.example\/audit\/ten_1 \S+\n$/,
    );
    const { root = text, ...rest } = parseCheckpointText(parseNote(written)?.text ?? "") ?? {};
    expect({ ...rest, root: Buffer.from(root) }).toEqual(checkpoint);
  });

  test.each([
    ["without a signature", `${text}\n`],
    ["without a blank line", `${text}${line}`],
    ["with another dash", `${text}\n${line.replace("—", "-")}`],
    ["with a space in the key's name", `${text}\n${line.replace("PeterNeumann", "Peter Neumann")}`],
    ["that ends without a newline", `${text}\n${line.trimEnd()}`],
    ["with seventeen signatures", `${text}\n${line.repeat(17)}`],
  ])("%s are none", (_what, note) => {
    expect(parseNote(note)).toBeUndefined();
  });

  test.each([
    ["a size with a leading zero", "a\n07\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"],
    ["a size below zero", "a\n-7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"],
    ["a short root", "a\n7\n47DEQpj8HBSa\n"],
    ["no origin", "\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"],
    ["no last newline", "a\n7\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="],
  ])("with %s are no checkpoints", (_what, said) => {
    expect(parseCheckpointText(said)).toBeUndefined();
  });
});
