import { mkdir, open, readFile, rename } from "node:fs/promises";
import path from "node:path";

/** Keeps the newest checkpoint of each log where whoever can write the database cannot reach it. */
export type Anchor = {
  keep(tenant: string, checkpoint: string): Promise<void>;
  last(tenant: string): Promise<string | undefined>;
};

/** An anchor in a directory: one file per log, replaced whole and flushed. */
export function createFileAnchor(directory: string): Anchor {
  const fileOf = (tenant: string): string => path.join(directory, `${tenant}.jws`);
  return {
    async keep(tenant, checkpoint) {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const fresh = `${fileOf(tenant)}.new`;
      const file = await open(fresh, "w", 0o600);
      try {
        await file.writeFile(checkpoint);
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(fresh, fileOf(tenant));
    },
    async last(tenant) {
      try {
        return await readFile(fileOf(tenant), "utf8");
      } catch (error) {
        if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
        throw error;
      }
    },
  };
}
