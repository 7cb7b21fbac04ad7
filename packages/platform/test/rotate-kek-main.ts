// Rotates the key-encryption key of a database once, so that a test can end the process in the middle.
import { failpointOf, setFailpoint } from "../src/failpoint/index.ts";
import { kekFiles } from "../src/keys/index.ts";
import { createKekRotation } from "../src/keys/kek-rotation.ts";
import { openKek } from "../src/keys/open-kek.ts";
import { openDatabase } from "../src/sql/index.ts";
import { createLog } from "../src/telemetry/index.ts";

const { env } = process;
setFailpoint(failpointOf(env["REMIT_FAILPOINT"], env["NODE_ENV"]));
const log = createLog({ service: "rotate", level: "silent" });
const db = openDatabase({
  url: env["DATABASE_URL"] ?? "",
  schema: env["SCHEMA"] ?? "",
  relayRole: env["RELAY"] ?? "",
  log,
});
const kek = await openKek({ db, source: kekFiles(env["DATA_DIR"] ?? ""), log });
const rotation = createKekRotation({ db, kek, log });
process.stdout.write("ready\n");
if (env["BEGIN"] === "1") await rotation.begin();
await rotation.run();
kek.close();
await db.close();
process.stdout.write("done\n");
