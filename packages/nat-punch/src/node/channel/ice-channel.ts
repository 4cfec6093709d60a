// The channel to a browser: plain WebRTC, node-datachannel's own ICE with the server as its STUN and TURN server. ICE can't mend a path, so a
// channel that has died is made anew through signalling. Its ICE knows the relay over UDP only; where that may not get through it has a tunnel.
import { addressFamily, isLoopback } from '@bt/endpoint';
import { IceCandidateFilter } from '../../path/ice-candidate.ts';
import { LOOPBACK } from '../client/path-forwarder.ts';
import { TurnTunnel, type TurnTunnelOptions } from '../client/turn-tunnel.ts';
import { PeerChannel, type PeerChannelOptions } from './peer-channel.ts';

export interface IceChannelOptions extends PeerChannelOptions {
  /** Now: `stun:HOST:PORT`, `turn:USER:PASSWORD@HOST:PORT`, user and password percent-encoded. */
  iceServers(): readonly string[];
  /** Now: an IP address; where it is on loopback the other end may be, too. */
  serverAddress(): string;
  /** The relay, to be reached over TCP or TLS as well; undefined where UDP is known to get through. */
  relayOverTcp?(): TcpRelay | undefined;
}

export interface TcpRelay extends TurnTunnelOptions {
  readonly username: string;
  readonly password: string;
}

/** To a member that is a browser. */
export class IceChannel extends PeerChannel {
  constructor({ iceServers, serverAddress, relayOverTcp, ...options }: IceChannelOptions) {
    // Of all rounds: a new one is begun at the other end's word.
    const filter = new IceCandidateFilter();
    super(options, {
      isIceEndToEnd: true,
      open: async () => {
        const relay = relayOverTcp?.();
        const tunnel = relay && (await TurnTunnel.open(relay));
        return {
          config: { iceServers: [...iceServers(), ...tunnelServers(relay, tunnel)] },
          remote: ({ ice }) => ice && { ice, isIceLite: false, candidates: [] },
          candidate: (line) => {
            const server = serverAddress();
            const allowLoopback = addressFamily(server) !== undefined && isLoopback(server);
            return filter.admit(line, server, { allowLoopback });
          },
          open: () => {},
          handleOpen: (connection) => {
            const address = connection.getSelectedCandidatePair()?.remote.address;
            if (address !== undefined) filter.handleOpen(address);
          },
          close: () => tunnel?.close(),
        };
      },
    });
  }

  /** The kinds of the two candidates that ICE has chosen, such as `host`, `srflx`, `relay`, and their addresses; undefined before. */
  get selectedPair() {
    return this.connection?.getSelectedCandidatePair() ?? undefined;
  }
}

function tunnelServers(relay: TcpRelay | undefined, tunnel: TurnTunnel | undefined): string[] {
  if (relay === undefined || tunnel === undefined) return [];
  const user = [relay.username, relay.password].map(encodeURIComponent).join(':');
  return [`turn:${user}@${LOOPBACK}:${tunnel.port}?transport=udp`];
}
