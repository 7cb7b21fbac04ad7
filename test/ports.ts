import { randomInt } from "node:crypto";
import { portsOf } from "@remit/embedded";
import { isFreePort, sliceOfPorts } from "@remit/testkit";

// Two hundred apart: the metrics of an instance stand a hundred above its own ports.
const first = 20_000;
const apart = 200;
const bases = 59;

/**
 * A port base that nothing on this machine uses now. Test files run side by side, so each worker draws by lot from bases of
 * its own, and from below the ports that the system itself hands out.
 */
export async function freeBase(): Promise<number> {
  const { slice, slices } = sliceOfPorts();
  for (;;) {
    const nth = slices * randomInt(Math.floor(bases / slices)) + slice;
    const base = first + nth * apart;
    const { issuer, wallet, directory, billing, gateway, sandbox, chain } = portsOf(base);
    const metrics = [100, 101, 102, 103, 104].map((distance) => base + distance);
    const all = [issuer, wallet, directory, billing, gateway, sandbox, chain, ...metrics];
    if ((await Promise.all(all.map(isFreePort))).every(Boolean)) return base;
  }
}
