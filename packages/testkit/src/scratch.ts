import { accessSync, constants, mkdtempSync, statfsSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** Linux keeps this one in memory. A database is some 600 files, which a disk may take a second to make. */
const inMemory = "/dev/shm";
const inMemoryBytesMin = 4 * 1024 ** 3;

/** Where scratch folders may be. */
export const scratchPlaces = [...new Set([tmpdir(), inMemory])];

/** A new folder for what is thrown away after the test: in memory where there is room, else on the disk. */
export const scratchFolder = (prefix: string): string => mkdtempSync(path.join(placeForNew(), prefix));

function placeForNew(): string {
  try {
    accessSync(inMemory, constants.W_OK);
    const { bavail, bsize } = statfsSync(inMemory);
    return bavail * bsize >= inMemoryBytesMin ? inMemory : tmpdir();
  } catch {
    return tmpdir();
  }
}
