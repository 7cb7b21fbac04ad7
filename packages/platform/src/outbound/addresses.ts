import { BlockList, isIP } from "node:net";

// IANA special-purpose registries (RFC 6890 and successors), multicast, the 6to4 relays and one cloud's metadata
// address that lies in public space.
const refused4 = [
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "168.63.129.16/32",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
];

// Only global unicast (2000::/3) is reachable at all, which leaves out loopback, mapped, NAT64, ULA, link-local and
// multicast; of it, these embed other addresses (Teredo, 6to4) or belong to nobody (documentation, benchmarks).
const refused6 = ["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"];

const blocked = new BlockList();
for (const [address, bits] of refused4.map(parts)) blocked.addSubnet(address, bits, "ipv4");
for (const [address, bits] of refused6.map(parts)) blocked.addSubnet(address, bits, "ipv6");

const globalUnicast = new BlockList();
globalUnicast.addSubnet("2000::", 3, "ipv6");

function parts(subnet: string): [string, number] {
  const [address = "", bits = "0"] = subnet.split("/");
  return [address, Number(bits)];
}

/** True for an address of the public internet; false for every other one and for what is no address. */
export function isPublicAddress(address: string): boolean {
  const family = isIP(address);
  if (family === 4) return !blocked.check(address, "ipv4");
  // A zone (`fe80::1%eth0`) names an interface of ours.
  if (family !== 6 || address.includes("%")) return false;
  return globalUnicast.check(address, "ipv6") && !blocked.check(address, "ipv6");
}

// Where something else than HTTP listens, or an unguarded control interface: a request there is an attack on it.
const refusedPorts = new Set([
  1433, 1521, 1719, 1720, 1723, 2049, 2375, 2376, 2379, 2380, 3306, 3659, 4045, 4190, 5060, 5061, 5432, 5984,
  6000, 6379, 6443, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 8500, 9042, 9092, 9200, 9300, 10080,
  10250, 11211, 27017,
]);

/** True for 443 and unprivileged ports that no other protocol is known for. */
export const isAcceptablePort = (port: number): boolean =>
  port === 443 || (port > 1023 && port <= 65_535 && !refusedPorts.has(port));
