// The NAT lab: an internet of network namespaces. Servers and clients' networks hang on one router; a network is a host with a public
// address of its own, or hosts behind a NAT box. It stands inside the outer namespaces of `enterNamespace`, on a /run of its own: when
// they end, by whatever end, everything in them ends too.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Child, type ChildOptions } from '../child.ts';
import { inNamespace, namespaceObstacle } from '../namespace.ts';
import { missingPrograms } from '../programs.ts';
import { boxRuleset, type InputFirewall, LAN, WAN } from './box-rules.ts';
import { insideNamespace, runCommand, runInside } from './commands.ts';
import { startDelayLinks } from './delay-links.ts';
import type { NatKind } from './nat-kind.ts';
import { parseFlows, routerRuleset, type Traffic, trafficOf } from './traffic.ts';

export interface NetworkOptions {
  readonly nat: NatKind;
  /** Hosts behind the box, 1 by default. */
  readonly hosts?: number;
  /** 'drop' by default. */
  readonly firewall?: InputFirewall;
  readonly hairpin?: boolean;
  /** Whether the hosts behind the box can't reach one another on their own network, as guests of a wireless network can't. */
  readonly isolated?: boolean;
  /** How long a mapping lives without packets from inside; two minutes by default, as RFC 4787 section 4.3 asks at least. */
  readonly mappingMs?: number;
  /** The first three numbers of the private network, such as 192.168.1; by default each network has its own. */
  readonly lan?: string;
}

export interface LabOptions {
  readonly networks: readonly NetworkOptions[];
  /** One by default; each has two public addresses. */
  readonly servers?: number;
  /** From any host of the internet to any other, one way. */
  readonly delayMs?: number;
  /** Of all packets that pass the router, whatever they carry. */
  readonly lossPercent?: number;
}

/** A machine in the lab. */
export class LabHost {
  readonly namespace: string;
  /** The address of its own interface; the public one when there is no NAT. */
  address: string;
  readonly #lab: NatLab;

  constructor(lab: NatLab, namespace: string, address: string) {
    this.#lab = lab;
    this.namespace = namespace;
    this.address = address;
  }

  /** Starts a program on this machine; it ends with the lab at the latest. */
  start(name: string, command: string, args: readonly string[], options?: ChildOptions): Child {
    const child = new Child(name, ...insideNamespace(this.namespace, command, args), options);
    this.#lab.adopt(child);
    return child;
  }

  /** Runs a program on this machine to its end and returns what it printed. */
  async run(command: string, args: readonly string[], input?: string): Promise<string> {
    return await runInside(this.namespace, command, args, input);
  }
}

export interface LabServer extends LabHost {
  /** The second public address, for RFC 5780. */
  readonly alternateAddress: string;
}

/** A client's network: one public address, with one host or a NAT box and the hosts behind it. */
export class LabNetwork {
  readonly options: NetworkOptions;
  readonly hosts: readonly LabHost[];
  publicAddress: string;
  readonly #lab: NatLab;
  /** The namespace at the public address: the NAT box, or the host itself. */
  readonly #edge: string;

  constructor(
    lab: NatLab,
    options: NetworkOptions,
    edge: string,
    publicAddress: string,
    hosts: readonly LabHost[],
  ) {
    this.#lab = lab;
    this.options = options;
    this.#edge = edge;
    this.publicAddress = publicAddress;
    this.hosts = hosts;
  }

  get host(): LabHost {
    return this.hosts[0]!;
  }

  /** Forgets all mappings, as a NAT box does that is switched off and on. A host without a NAT box has nothing to forget. */
  async reboot(): Promise<void> {
    if (this.options.nat === 'none') return;
    await this.writeRules();
    await runInside(this.#edge, 'conntrack', ['--flush']);
  }

  /** Gives the network another public address; the old one leads nowhere. */
  async renumber(): Promise<void> {
    const old = this.publicAddress;
    this.publicAddress = await this.#lab.moveAddress(this.#edge, old);
    if (this.options.nat === 'none') this.host.address = this.publicAddress;
    else await this.reboot();
  }

  /** Bytes between hosts behind this box: on their own network, and by way of the box's public address (hairpin). */
  async localTraffic(): Promise<{ readonly lanBytes: number; readonly hairpinBytes: number }> {
    const bytes = async (...counter: string[]) =>
      Number(
        /bytes (\d+)/.exec(await runInside(this.#edge, 'nft', ['list', 'counter', ...counter]))![1],
      );
    return {
      lanBytes: await bytes('bridge', 'switch', 'local'),
      hairpinBytes: await bytes('ip', 'filter', 'hairpin'),
    };
  }

  /** Sets the box's rules anew, with nothing in its tables. */
  async writeRules(): Promise<void> {
    const { nat, firewall = 'drop', hairpin = false, mappingMs = 120_000 } = this.options;
    if (nat === 'none') return;
    const { publicAddress } = this;
    const rules = boxRuleset({ nat, publicAddress, firewall, hairpin, mappingMs });
    await runInside(this.#edge, 'nft', ['-f', '-'], rules);
    const lifetime = Math.max(1, Math.round(mappingMs / 1000));
    await runInside(this.#edge, 'sysctl', [
      '-qw',
      'net.ipv4.ip_forward=1',
      'net.ipv4.conf.all.send_redirects=0',
      'net.ipv4.conf.lan.send_redirects=0',
      `net.netfilter.nf_conntrack_udp_timeout=${Math.min(lifetime, 30)}`,
      `net.netfilter.nf_conntrack_udp_timeout_stream=${lifetime}`,
      // A connection that the box has forgotten is dead, whoever goes on sending.
      'net.netfilter.nf_conntrack_tcp_loose=0',
    ]);
    // A switch is no router: what stays on the network is none of the rules' business. Where there is no such setting, it is so anyway.
    await runInside(this.#edge, 'sysctl', ['-eqw', 'net.bridge.bridge-nf-call-iptables=0']);
  }
}

/** The router's address on each of its links. */
const GATEWAY = '192.0.2.1';
/** Longest list of networks: their public addresses, and those that they move to, are of one /24. */
const MAX_NETWORKS = 16;
let labs = 0;

/** Why there can be no lab here, in one sentence; undefined when there can. */
export function labObstacle(): string | undefined {
  const obstacle = namespaceObstacle() ?? missingPrograms(['nft', 'conntrack', 'ip', 'nsenter']);
  if (obstacle !== undefined) return `no NAT lab: ${obstacle}`;
  if (!existsSync('/dev/net/tun')) return 'no NAT lab: no /dev/net/tun';
  return inNamespace() ? undefined : 'a NAT lab stands inside enterNamespace()';
}

export class NatLab {
  readonly networks: LabNetwork[] = [];
  readonly servers: LabServer[] = [];
  readonly #prefix: string;
  readonly #namespaces: string[] = [];
  readonly #children = new Set<Child>();
  #delayLinks: Child | undefined;
  #publicAddresses = 0;

  private constructor() {
    labs += 1;
    this.#prefix = `lab${labs}`;
  }

  /** @throws Error when there can be no lab here; it says why. */
  static async create(options: LabOptions): Promise<NatLab> {
    const obstacle = labObstacle();
    if (obstacle !== undefined) throw new Error(obstacle);
    if (options.networks.length > MAX_NETWORKS) {
      throw new RangeError(`a lab has at most ${MAX_NETWORKS} networks`);
    }
    ownRunFolder();
    const lab = new NatLab();
    try {
      await lab.#build(options);
      return lab;
    } catch (error) {
      await lab.close();
      throw error;
    }
  }

  get server(): LabServer {
    return this.servers[0]!;
  }

  /** Every host of every network, in their order. */
  get hosts(): LabHost[] {
    return this.networks.flatMap(({ hosts }) => hosts);
  }

  /** What the router has forwarded until now. */
  async traffic(): Promise<Traffic> {
    const servers = this.servers.flatMap(({ address, alternateAddress }) => [
      address,
      alternateAddress,
    ]);
    const json = await runInside(this.#router, 'nft', [
      ...['-j', 'list', 'set', 'ip', 'judge', 'flows'],
    ]);
    return trafficOf(parseFlows(json), servers);
  }

  /** From now on the router loses this much of what passes. Its counts begin anew. */
  async setLoss(lossPercent: number): Promise<void> {
    await runInside(this.#router, 'nft', ['-f', '-'], routerRuleset(lossPercent));
  }

  /** Ends all programs and namespaces of this lab. */
  async close(): Promise<void> {
    for (const child of this.#children) child.signal('SIGKILL');
    await Promise.all([...this.#children].map(({ exited }) => exited));
    await this.#delayLinks?.stop();
    if (this.#namespaces.length === 0) return;
    const commands = this.#namespaces.splice(0).map((name) => `netns delete ${name}`);
    await runCommand('ip', ['-force', '-batch', '-'], `${commands.join('\n')}\n`);
  }

  /** For the lab's own hosts: what they start ends with the lab. */
  adopt(child: Child): void {
    this.#children.add(child);
    void child.exited.then(() => this.#children.delete(child));
  }

  /** For the lab's own networks: a new public address on the same link. */
  async moveAddress(edge: string, old: string): Promise<string> {
    const address = this.#newPublicAddress();
    const link = routerLink(edge);
    await runInside(
      edge,
      'ip',
      ['-batch', '-'],
      [
        `address add ${address}/32 dev ${WAN}`,
        `address delete ${old}/32 dev ${WAN}`,
        ...gatewayRoutes('replace'),
      ].join('\n'),
    );
    await runInside(
      this.#router,
      'ip',
      ['-batch', '-'],
      `route delete ${old}/32 dev ${link}\nroute add ${address}/32 dev ${link}\n`,
    );
    return address;
  }

  get #router(): string {
    return `${this.#prefix}-router`;
  }

  #newPublicAddress(): string {
    this.#publicAddresses += 1;
    if (this.#publicAddresses > 254) throw new RangeError('the lab is out of public addresses');
    return `203.0.113.${this.#publicAddresses}`;
  }

  async #build(options: LabOptions): Promise<void> {
    await this.#addNamespace(this.#router);
    await runInside(this.#router, 'sysctl', ['-qw', 'net.ipv4.ip_forward=1']);
    await this.setLoss(options.lossPercent ?? 0);
    const edges: { name: string; addresses: string[] }[] = [];
    for (let i = 0; i < (options.servers ?? 1); i++) {
      const name = `${this.#prefix}-server${i + 1}`;
      const addresses = [`198.51.100.${2 * i + 1}`, `198.51.100.${2 * i + 2}`];
      edges.push({ name, addresses });
      await this.#addNamespace(name);
      const host = new LabHost(this, name, addresses[0]!);
      this.servers.push(Object.assign(host, { alternateAddress: addresses[1]! }));
    }
    for (const [i, network] of options.networks.entries()) {
      const name = `${this.#prefix}-net${i + 1}`;
      const publicAddress = this.#newPublicAddress();
      edges.push({ name, addresses: [publicAddress] });
      await this.#addNamespace(name);
      const hosts =
        network.nat === 'none'
          ? [new LabHost(this, name, publicAddress)]
          : await this.#addHosts(name, network, network.lan ?? `10.${i + 1}.0`);
      this.networks.push(new LabNetwork(this, network, name, publicAddress, hosts));
    }
    // Half of the delay at each end of a way.
    const delayMs = (options.delayMs ?? 0) / 2;
    if (delayMs > 0) {
      const names = edges.map(({ name }) => name);
      this.#delayLinks = await startDelayLinks(delayMs, names, this.#router);
    } else for (const { name } of edges) await this.#addVeth(name);
    for (const edge of edges) await this.#connect(edge.name, edge.addresses);
    for (const network of this.networks) await network.writeRules();
  }

  async #addNamespace(name: string): Promise<void> {
    await runCommand('ip', ['netns', 'add', name]);
    this.#namespaces.push(name);
    await runInside(name, 'ip', ['link', 'set', 'lo', 'up']);
  }

  async #addVeth(edge: string): Promise<void> {
    await runCommand('ip', [
      ...['link', 'add', WAN, 'netns', edge, 'type', 'veth'],
      ...['peer', 'name', routerLink(edge), 'netns', this.#router],
    ]);
  }

  /** Both ends of a link get up, with addresses and routes. */
  async #connect(edge: string, addresses: readonly string[]): Promise<void> {
    const link = routerLink(edge);
    await runInside(
      this.#router,
      'ip',
      ['-batch', '-'],
      [
        `link set ${link} up`,
        `address add ${GATEWAY}/32 dev ${link}`,
        ...addresses.map((address) => `route add ${address}/32 dev ${link}`),
      ].join('\n'),
    );
    await runInside(
      edge,
      'ip',
      ['-batch', '-'],
      [
        `link set ${WAN} up`,
        ...addresses.map((address) => `address add ${address}/32 dev ${WAN}`),
        ...gatewayRoutes('add'),
      ].join('\n'),
    );
  }

  async #addHosts(box: string, network: NetworkOptions, lan: string): Promise<LabHost[]> {
    const commands = [
      `link add ${LAN} type bridge`,
      `link set ${LAN} up`,
      `address add ${lan}.1/24 dev ${LAN}`,
    ];
    const hosts: LabHost[] = [];
    for (let i = 0; i < (network.hosts ?? 1); i++) {
      const name = `${box}-host${i + 1}`;
      const address = `${lan}.${i + 2}`;
      await this.#addNamespace(name);
      commands.push(
        `link add port${i} type veth peer name eth0 netns ${name}`,
        `link set port${i} master ${LAN} up`,
      );
      if (network.isolated === true) {
        commands.push(`link set port${i} type bridge_slave isolated on`);
      }
      hosts.push(new LabHost(this, name, address));
    }
    await runInside(box, 'ip', ['-batch', '-'], `${commands.join('\n')}\n`);
    for (const { namespace, address } of hosts) {
      await runInside(
        namespace,
        'ip',
        ['-batch', '-'],
        `link set eth0 up\naddress add ${address}/24 dev eth0\nroute add default via ${lan}.1\n`,
      );
    }
    return hosts;
  }
}

/** The router's end of the link to a namespace; the kernel allows 15 characters. */
function routerLink(edge: string): string {
  return `to-${edge.slice(edge.indexOf('-') + 1)}`;
}

function gatewayRoutes(verb: 'add' | 'replace'): string[] {
  return [
    `route ${verb} ${GATEWAY}/32 dev ${WAN}`,
    `route ${verb} default via ${GATEWAY} dev ${WAN}`,
  ];
}

let hasOwnRunFolder = false;

/** Names of namespaces are files below /run: a /run of our own leaves none behind. */
function ownRunFolder(): void {
  if (hasOwnRunFolder) return;
  const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', 'tmpfs', '/run'], {
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`no /run of our own: ${stderr}`);
  hasOwnRunFolder = true;
}
