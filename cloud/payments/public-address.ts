/**
 * Which IP addresses are somebody's on the public internet, and not this computer, its network, or a way around to them. Pure.
 *
 * IPv4 is everything but the special-purpose registry (RFC 6890). IPv6 is the other way about: only what is given out for
 * global unicast (2000::/3) less its own special parts, so that an address of a kind nobody thought of is refused. IPv4 inside
 * IPv6 (mapped, compatible, NAT64, 6to4, Teredo) is refused with it.
 */
import { BlockList, isIPv4, isIPv6 } from "node:net";

type Subnet = readonly [network: string, prefix: number];

// prettier-ignore
const SPECIAL_IPV4: readonly Subnet[] = [
  ["0.0.0.0",       8], // this network
  ["10.0.0.0",      8], // private
  ["100.64.0.0",   10], // carrier-grade NAT
  ["127.0.0.0",     8], // loopback
  ["169.254.0.0",  16], // link-local: a cloud's metadata
  ["172.16.0.0",   12], // private
  ["192.0.0.0",    24], // protocol assignments
  ["192.0.2.0",    24], // documentation
  ["192.88.99.0",  24], // 6to4 relays
  ["192.168.0.0",  16], // private
  ["198.18.0.0",   15], // benchmarks
  ["198.51.100.0", 24], // documentation
  ["203.0.113.0",  24], // documentation
  ["224.0.0.0",     4], // multicast
  ["240.0.0.0",     4], // reserved, and broadcast
];
// prettier-ignore
const SPECIAL_IPV6: readonly Subnet[] = [
  ["2001::",       23], // protocol assignments; Teredo, an IPv4 address in disguise
  ["2001:db8::",   32], // documentation
  ["2002::",       16], // 6to4, an IPv4 address in disguise
  ["3fff::",       20], // documentation
];

const specialIpv4 = listOf(SPECIAL_IPV4, "ipv4");
const globalIpv6 = listOf([["2000::", 3]], "ipv6");
const specialIpv6 = listOf(SPECIAL_IPV6, "ipv6");

/** An address as numbers, not a name: a name is not public. */
export function isPublicAddress(address: string): boolean {
  if (isIPv4(address)) return !specialIpv4.check(address, "ipv4");
  return isIPv6(address) && globalIpv6.check(address, "ipv6") && !specialIpv6.check(address, "ipv6");
}

function listOf(subnets: readonly Subnet[], family: "ipv4" | "ipv6"): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of subnets) list.addSubnet(network, prefix, family);
  return list;
}
