// The nftables rules of a NAT box: one ruleset for each NAT kind, with hairpin, input firewall and mapping lifetime as switches.
import { type NatKind, OPEN_TCP_PORTS } from './nat-kind.ts';

/** The box's interface towards the router, and its bridge of the hosts behind it. */
export const WAN = 'wan';
export const LAN = 'lan';

/**
 * What becomes of unsolicited packets from outside: dropped, rejected with ICMP, or let into the box itself, where each leaves a
 * conntrack entry that takes away the port it was sent to (a trap that real boxes without a firewall have as well).
 */
export type InputFirewall = 'drop' | 'reject' | 'none';

export interface BoxRules {
  readonly nat: Exclude<NatKind, 'none'>;
  readonly publicAddress: string;
  readonly firewall: InputFirewall;
  /** Whether hosts behind the box reach one another by its public address (RFC 4787 section 6). */
  readonly hairpin: boolean;
  /** How long a mapping lives without packets from inside. */
  readonly mappingMs: number;
}

/** Ports that a sequential NAT counts through. */
const SEQUENTIAL_PORTS = { first: 40_000, count: 4_000 };

const seconds = (ms: number) => Math.max(1, Math.round(ms / 1000));

/** The ruleset as `nft -f` reads it; it replaces what was there. */
export function boxRuleset(rules: BoxRules): string {
  if (rules.hairpin && !keepsPort(rules.nat)) {
    throw new RangeError(`no hairpin rules for ${rules.nat}`);
  }
  return [
    'flush ruleset',
    natTable(rules),
    filterTable(rules),
    `table bridge switch {
  counter local { }
  chain forward {
    type filter hook forward priority 0
    counter name local
  }
}`,
    '',
  ].join('\n');
}

function natTable(rules: BoxRules): string {
  const lifetime = `timeout ${seconds(rules.mappingMs)}s`;
  return `table ip nat {
  map mapped { type inet_service : ipv4_addr; flags dynamic,timeout; ${lifetime}; }
  set addresses { type inet_service . ipv4_addr; flags dynamic,timeout; ${lifetime}; }
  set endpoints { type inet_service . ipv4_addr . inet_service; flags dynamic,timeout; ${lifetime}; }
  chain outbound {
    type filter hook prerouting priority mangle
    iifname "${LAN}" ip protocol udp update @mapped { udp sport : ip saddr }
    iifname "${LAN}" ip protocol udp update @addresses { udp sport . ip daddr }
    iifname "${LAN}" ip protocol udp update @endpoints { udp sport . ip daddr . udp dport }
  }
  chain prerouting {
    type nat hook prerouting priority dstnat
    ${inbound(rules).join('\n    ')}
  }
  chain postrouting {
    type nat hook postrouting priority srcnat
    iifname "${LAN}" oifname "${LAN}" snat to ${rules.publicAddress}
    ${outbound(rules).join('\n    ')}
  }
}`;
}

/** A mapping that keeps the port is the same towards everybody, so that it can be found by its port alone. */
function keepsPort(nat: NatKind): boolean {
  return nat === 'full-cone' || nat === 'address-restricted' || nat === 'port-restricted';
}

function inbound({ nat, publicAddress, hairpin }: BoxRules): string[] {
  const toHost = 'dnat to udp dport map @mapped';
  const fromOutside = `iifname "${WAN}" ip daddr ${publicAddress}`;
  // A host behind the box is to its neighbour what its mapping is: the public address, and its own port.
  const fromInside = `iifname "${LAN}" ip daddr ${publicAddress}`;
  const rules: string[] = [];
  if (nat === 'full-cone') {
    rules.push(`${fromOutside} ${toHost}`);
    if (hairpin) rules.push(`${fromInside} ${toHost}`);
  }
  if (nat === 'address-restricted') {
    rules.push(`${fromOutside} udp dport . ip saddr @addresses ${toHost}`);
    if (hairpin) rules.push(`${fromInside} udp dport . ip daddr @addresses ${toHost}`);
  }
  // From outside a port-restricted NAT needs no rule: conntrack lets in what was sent to.
  if (nat === 'port-restricted' && hairpin) {
    rules.push(`${fromInside} udp dport . ip daddr . udp sport @endpoints ${toHost}`);
  }
  return rules;
}

function outbound({ nat, publicAddress }: BoxRules): string[] {
  const out = `oifname "${WAN}"`;
  if (nat === 'symmetric') return [`${out} masquerade fully-random`];
  if (nat === 'symmetric-sequential') {
    const { first, count } = SEQUENTIAL_PORTS;
    const ports = Array.from({ length: count }, (_, i) => `${i} : ${first + i}`).join(', ');
    return [
      `${out} ip protocol udp snat to ${publicAddress} : numgen inc mod ${count} map { ${ports} }`,
      `${out} masquerade`,
    ];
  }
  return [`${out} snat to ${publicAddress}`];
}

function filterTable({ nat, firewall }: BoxRules): string {
  const refuse = firewall === 'reject' ? 'reject with icmp type port-unreachable' : 'drop';
  const input = firewall === 'none' ? 'accept' : refuse;
  const forward =
    nat === 'udp-blocked'
      ? [`iifname "${LAN}" tcp dport { ${OPEN_TCP_PORTS.join(', ')} } accept`, refuse]
      : [`iifname "${WAN}" ct state new ct status dnat accept`, `iifname "${WAN}" ${refuse}`];
  return `table ip filter {
  counter hairpin { }
  chain input {
    type filter hook input priority filter
    ct state established,related accept
    ${input}
  }
  chain forward {
    type filter hook forward priority filter
    iifname "${LAN}" oifname "${LAN}" counter name hairpin
    ct state established,related accept
    ct state invalid drop
    ${forward.join('\n    ')}
  }
}`;
}
