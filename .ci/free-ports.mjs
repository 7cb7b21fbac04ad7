// Two ports that nothing uses, the second with room above for a whole instance. From below those that the system hands out
// itself: there a connection of somebody else's can take one between look and use.
import { createServer } from "node:net";

const isFree = (port) =>
  new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => server.close(() => resolve(true)));
  });

async function drawn(from, to, distances) {
  for (;;) {
    const port = from + Math.floor(Math.random() * (to - from));
    const all = await Promise.all(distances.map((distance) => isFree(port + distance)));
    if (all.every(Boolean)) return port;
  }
}

// As `packages/embedded/src/ports.ts` lays them out, and redis-server's bus at 10,000 above its port.
const instance = [0, 1, 2, 3, 100, 102, 103, 104, 402, 900, 901];
process.stdout.write(
  `${await drawn(10_000, 20_000, [0])} ${await drawn(20_000, 22_000, [...instance, 10_000])}\n`,
);
