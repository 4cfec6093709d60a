// The PeerConnections of node-datachannel in this process. It wants three things of whoever uses it: that everything is held by a strong
// reference until it has closed, that a connection is closed first and `cleanup()` comes from a later timer, and that `cleanup()` comes at
// all, or the process never ends.
import nodeDataChannel, {
  type DataChannel,
  type PeerConnection,
  type RtcConfig,
} from 'node-datachannel';

/** From the last close to `cleanup()`; a connection that is made within it cancels it. */
const CLEANUP_DELAY_MS = 100;

const held = new Map<PeerConnection, DataChannel[]>();
let cleanupTimer: NodeJS.Timeout | undefined;

/** A connection with its data channels, one for each label, the same at both ends without being negotiated (RFC 8832 section 4). */
export function openPeerConnection(
  config: RtcConfig,
  labels: readonly string[],
): { readonly connection: PeerConnection; readonly channels: readonly DataChannel[] } {
  clearTimeout(cleanupTimer);
  const connection = new nodeDataChannel.PeerConnection('nat-punch', config);
  const channels = labels.map((label, id) =>
    connection.createDataChannel(label, { negotiated: true, id }),
  );
  held.set(connection, channels);
  return { connection, channels };
}

/** Closes a connection, once. Its callbacks may still come. */
export function closePeerConnection(connection: PeerConnection): void {
  const channels = held.get(connection);
  if (channels === undefined) return;
  for (const channel of channels) channel.close();
  connection.close();
  // Whatever it still has to say comes from threads of its own.
  setTimeout(() => {
    held.delete(connection);
    if (held.size > 0) return;
    clearTimeout(cleanupTimer);
    cleanupTimer = setTimeout(() => {
      if (held.size === 0) nodeDataChannel.cleanup();
    }, CLEANUP_DELAY_MS);
  }, CLEANUP_DELAY_MS);
}
