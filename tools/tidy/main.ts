import path from "node:path";
import { tidy } from "./tidy.ts";

const root = path.resolve(process.argv[2] ?? path.join(import.meta.dirname, "../.."));
const findings = tidy(root);
for (const { rule, file, line, text } of findings) process.stdout.write(`${file}:${line} ${rule}: ${text}\n`);
process.stdout.write(findings.length === 0 ? "tidy: nothing to say\n" : `tidy: ${findings.length} to mend\n`);
process.exitCode = findings.length === 0 ? 0 : 1;
