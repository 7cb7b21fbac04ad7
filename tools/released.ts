import { readdirSync, writeFileSync } from "node:fs";
import path from "node:path";

/** Run when a release is made, and `npm run format` after it: its migrations are what the next one is held against (decision 122). */
const root = path.resolve(import.meta.dirname, "..");
const released = Object.fromEntries(
  readdirSync(path.join(root, "services")).flatMap((service) => {
    const names = readdirSync(path.join(root, "services", service, "migrations"), { withFileTypes: true })
      .map(({ name }) => name)
      .filter((name) => name.endsWith(".sql"))
      .toSorted();
    return names.length === 0 ? [] : [[service, names] as const];
  }),
);
writeFileSync(path.join(root, "deploy/released-migrations.json"), `${JSON.stringify(released, null, 2)}\n`);
