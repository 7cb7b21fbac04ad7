import { createProgram } from "./program.ts";

// Whoever reads our output may have read enough (`remit demo | head`): that is no failure.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => process.exit(error.code === "EPIPE" ? 0 : 1));

await createProgram().parseAsync(process.argv);
