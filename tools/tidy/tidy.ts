import { callFindings } from "./calls.ts";
import { type Finding, importFindings } from "./imports.ts";
import { shapeFindings } from "./shape.ts";
import { readTree } from "./tree.ts";

/** Everything that breaks the written rules of the house, in the order of files and lines. */
export const tidy = (root: string): Finding[] =>
  readTree(root)
    .flatMap((pack) => [...importFindings(pack), ...callFindings(pack), ...shapeFindings(pack)])
    .sort((a, b) => a.file.localeCompare(b.file) || a.line - b.line);
