// The judge: what the router saw, told apart into packets between clients and packets by way of a server.

/** Packets from one address to another, as the router forwarded them. */
export interface Flow {
  readonly from: string;
  readonly to: string;
  readonly protocol: 'udp' | 'tcp' | 'other';
  readonly packets: number;
  readonly bytes: number;
}

export interface Amount {
  readonly packets: number;
  /** With IP headers. */
  readonly bytes: number;
}

export interface Traffic {
  /** From one client's network to another's. */
  readonly direct: Amount;
  /** From or to a server. */
  readonly viaServer: Amount;
}

/** Pairs of addresses that the router counts apart. */
const MAX_FLOWS = 4_096;

/** Rules of the router: what is lost, what no router of the internet passes, and the count of what is left. */
export function routerRuleset(lossPercent: number): string {
  const privateRanges = '{ 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 }';
  return `flush ruleset
table ip judge {
  set flows { type ipv4_addr . ipv4_addr . inet_proto; flags dynamic; size ${MAX_FLOWS}; }
  chain forward {
    type filter hook forward priority filter
    ip saddr ${privateRanges} drop
    ip daddr ${privateRanges} drop
    ${lossPercent > 0 ? `numgen random mod 1000 < ${Math.round(lossPercent * 10)} drop` : ''}
    update @flows { ip saddr . ip daddr . ip protocol counter }
  }
}
`;
}

interface FlowElement {
  readonly elem: {
    readonly val: { readonly concat: readonly [string, string, string | number] };
    readonly counter: Amount;
  };
}

/** The flows in what `nft -j list set ip judge flows` prints. */
export function parseFlows(json: string): Flow[] {
  const { nftables } = JSON.parse(json) as {
    readonly nftables: readonly { readonly set?: { readonly elem?: readonly FlowElement[] } }[];
  };
  return nftables
    .flatMap(({ set }) => set?.elem ?? [])
    .map(({ elem }) => {
      const [from, to, protocol] = elem.val.concat;
      return {
        from,
        to,
        protocol: protocol === 'udp' || protocol === 'tcp' ? protocol : 'other',
        packets: elem.counter.packets,
        bytes: elem.counter.bytes,
      };
    });
}

const NOTHING: Amount = { packets: 0, bytes: 0 };
const plus = (a: Amount, b: Amount): Amount => ({
  packets: a.packets + b.packets,
  bytes: a.bytes + b.bytes,
});
const minus = (a: Amount, b: Amount): Amount => ({
  packets: a.packets - b.packets,
  bytes: a.bytes - b.bytes,
});

/** Sums flows; whatever has no server at either end is direct. */
export function trafficOf(flows: readonly Flow[], servers: readonly string[]): Traffic {
  let direct = NOTHING;
  let viaServer = NOTHING;
  for (const flow of flows) {
    if (servers.includes(flow.from) && servers.includes(flow.to)) continue;
    if (servers.includes(flow.from) || servers.includes(flow.to)) viaServer = plus(viaServer, flow);
    else direct = plus(direct, flow);
  }
  return { direct, viaServer };
}

/** What came to be between two moments. */
export function trafficSince(before: Traffic, after: Traffic): Traffic {
  return {
    direct: minus(after.direct, before.direct),
    viaServer: minus(after.viaServer, before.viaServer),
  };
}
