import { dayMs, type Instant } from "@remit/kernel";
import type { Keyring } from "@remit/platform/keys";
import type { Mac } from "@remit/protocol";
import { hmacSha256 } from "@remit/protocol/node";

const remembered = 4;

/**
 * The secrets of challenges, nonces and bindings. Each makes new ones for a day and counts for half a day more on either
 * side, so that two are valid at any time, on every replica, whatever its clock says; nothing of them is stored.
 */
export function termSecrets(keyring: Keyring): (now: Instant) => readonly [Mac, Mac] {
  const macs = new Map<number, Mac>();
  const macOf = (day: number): Mac => {
    const known = macs.get(day);
    if (known !== undefined) return known;
    const mac = hmacSha256(keyring.derive(`payment-terms ${day}`));
    macs.set(day, mac);
    for (const old of macs.keys()) if (macs.size > remembered) macs.delete(old);
    return mac;
  };
  return (now) => {
    const day = Math.floor(now / dayMs);
    const other = now % dayMs < dayMs / 2 ? day - 1 : day + 1;
    return [macOf(day), macOf(other)];
  };
}
